/* cella image pages: the measured operations one by one, so that anyone can recompute the code hash. Must
 * print what the iterator says and nothing that it computed itself. */
#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verb_image.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella image pages IMAGE [--json] [--data FILE]\n"
    "\n"
    "Prints every page that is measured, in load order: its offset, permissions, type, and\n"
    "whether its bytes are measured too (extended). With --data the bytes of the extended pages\n"
    "are written to a file, 4096 for each, in the same order. Both together are enough to\n"
    "recompute the code hash as the CPU does, without Cella: formats/measurement.md shows how.\n"
    "\n"
    "  --json        print it as JSON\n"
    "  --data FILE   write the extended pages' bytes there, in a new file\n";

struct listing {
    uint64_t order;
    uint64_t extended_count;
    bool json;
};

static void print_page(struct listing *listing, const struct cella_pages *pages, uint64_t offset) {
    const char *type = (pages->secinfo_flags & 0xff00u) == CELLA_PAGE_TYPE_TCS ? "TCS" : "REG";
    struct cli_permissions_text permissions = cli_permissions_text(pages->secinfo_flags);
    /* Written by hand because there may be millions: nothing in it needs quoting. */
    if (listing->json)
        printf("%s\n    {\"order\": %" PRIu64 ", \"offset\": %" PRIu64
               ", \"part\": \"%s\", \"permissions\": \"%s\", \"type\": \"%s\", \"secinfo_flags\": %" PRIu64
               ", \"extended\": %s}",
               listing->order == 0 ? "" : ",", listing->order, offset, cella_page_part_name(pages->part),
               permissions.text, type, pages->secinfo_flags, pages->extended ? "true" : "false");
    else
        printf("%8" PRIu64 "  0x%010" PRIx64 "  %s  %s  %s  %s\n", listing->order, offset, permissions.text,
               type, pages->extended ? "extended" : "        ", cella_page_part_name(pages->part));
    listing->order++;
}

static void print_pages(const struct cella_image *image, struct listing *listing) {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    if (listing->json)
        printf("{\n  \"size\": %" PRIu64 ",\n  \"ssa_frame_size\": %d,\n  \"pages\": [", image->layout.size,
               CELLA_LAYOUT_SSA_FRAME_SIZE);
    cella_page_iterator_init(&iterator, image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        for (uint64_t i = 0; i < pages.count; i++)
            print_page(listing, &pages, pages.offset + i * CELLA_PAGE_SIZE);
        listing->extended_count += pages.extended ? pages.count : 0;
    }
    if (listing->json)
        printf("\n  ]\n}\n");
}

static enum cella_status write_data(const struct cella_image *image, uint64_t count, const char *path,
                                    struct cella_error *error) {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    uint8_t *data = malloc(count * CELLA_PAGE_SIZE);
    if (data == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for %" PRIu64 " pages", count);
    uint8_t *at = data;
    cella_page_iterator_init(&iterator, image);
    while (cella_page_iterator_next(&iterator, &pages)) {
        if (!pages.extended)
            continue;
        for (uint64_t i = 0; i < pages.count; i++, at += CELLA_PAGE_SIZE)
            memcpy(at, pages.data + i * pages.stride, CELLA_PAGE_SIZE);
    }
    enum cella_status status =
        cella_file_create(path, CELLA_BYTES(data, count * CELLA_PAGE_SIZE), CELLA_FILE_PUBLIC, error);
    free(data);
    return status;
}

int cli_image_pages(int argc, char **argv) {
    static const struct option table[] = {{"json", no_argument, NULL, 'j'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct listing listing = {0};
    const char *data_path = NULL;
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == 'j')
            listing.json = true;
        else if (option == 'd')
            data_path = optarg;
        else
            return cli_usage_option(usage, argv);
    }
    if (argc - optind != 1)
        return cli_usage(usage, "name one image");
    struct cella_error error = {0};
    struct cli_image loaded = {0};
    const struct cli_output_path data = {data_path, CLI_OUTPUT_NEW, {argv[optind]}};
    enum cella_status status = cli_output_check(&data, &error);
    if (status == CELLA_OK)
        status = cli_image_load(argv[optind], &loaded, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    print_pages(&loaded.image, &listing);
    if (data_path != NULL)
        status = write_data(&loaded.image, listing.extended_count, data_path, &error);
    cli_image_unload(&loaded);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}
