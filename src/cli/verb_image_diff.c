/* cella image diff: what differs between two images, in words. */
#include "cli/cli.h"
#include "cli/verb_image.h"
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella image diff IMAGE IMAGE [--json]\n"
    "\n"
    "Says what differs between two images: settings, segments, the first page with other bytes,\n"
    "signature, and whether code hash and code signer changed. When they differ it also prints\n"
    "each image's code hash and whether its signature holds. Ends with 0 when the files are\n"
    "identical and with 1 when they differ.\n"
    "\n"
    "  --json    print it as JSON\n";

/* Collects one line per difference. */
struct differences {
    json_t *list;
};

__attribute__((format(printf, 3, 4))) static void add(struct differences *differences, const char *what,
                                                      const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *line = json_pack("{s:s, s:s}", "what", what, "text", text);
    /* Application values need not be UTF-8. */
    if (line == NULL)
        line = json_pack("{s:s, s:s}", "what", what, "text", "differs");
    json_array_append_new(differences->list, line);
}

static void compare_application(struct differences *differences, const struct cella_settings *left,
                                const struct cella_settings *right) {
    for (size_t i = 0; i < left->application_count; i++) {
        const char *key = left->application[i].key;
        const char *other = cella_settings_get(right, key);
        if (other == NULL)
            add(differences, "setting", "application.%s: \"%.100s\" -> (none)", key,
                left->application[i].value);
        else if (strcmp(left->application[i].value, other) != 0)
            add(differences, "setting", "application.%s: \"%.100s\" -> \"%.100s\"", key,
                left->application[i].value, other);
    }
    for (size_t i = 0; i < right->application_count; i++)
        if (cella_settings_get(left, right->application[i].key) == NULL)
            add(differences, "setting", "application.%s: (none) -> \"%.100s\"", right->application[i].key,
                right->application[i].value);
}

static bool has_owner(const struct cella_settings *settings, const uint8_t *owner) {
    for (size_t i = 0; i < settings->owner_count; i++)
        if (memcmp(settings->owners[i], owner, CELLA_SETTINGS_OWNER_SIZE) == 0)
            return true;
    return false;
}

static void compare_owners(struct differences *differences, const struct cella_settings *left,
                           const struct cella_settings *right) {
    for (size_t i = 0; i < left->owner_count; i++)
        if (!has_owner(right, left->owners[i]))
            add(differences, "setting", "owner: %s -> (none)", cli_hash_text(left->owners[i]).text);
    for (size_t i = 0; i < right->owner_count; i++)
        if (!has_owner(left, right->owners[i]))
            add(differences, "setting", "owner: (none) -> %s", cli_hash_text(right->owners[i]).text);
}

static void compare_settings(struct differences *differences, const struct cella_settings *left,
                             const struct cella_settings *right) {
    if (strcmp(left->name, right->name) != 0)
        add(differences, "setting", "name: %s -> %s", left->name, right->name);
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        uint64_t a = cella_settings_number(left, rule);
        uint64_t b = cella_settings_number(right, rule);
        if (a != b && rule->words != NULL)
            add(differences, "setting", "%s: %s -> %s", rule->key, rule->words[a - rule->least],
                rule->words[b - rule->least]);
        else if (a != b)
            add(differences, "setting", "%s: %" PRIu64 " -> %" PRIu64, rule->key, a, b);
    }
    compare_owners(differences, left, right);
    compare_application(differences, left, right);
}

static void compare_segments(struct differences *differences, const struct cella_elf *left,
                             const struct cella_elf *right) {
    if (left->entry != right->entry)
        add(differences, "entry", "0x%" PRIx64 " -> 0x%" PRIx64, left->entry, right->entry);
    if (left->segment_count != right->segment_count)
        add(differences, "segment", "%zu segments -> %zu segments", left->segment_count,
            right->segment_count);
    for (size_t i = 0; i < left->segment_count && i < right->segment_count; i++) {
        const struct cella_elf_segment *a = &left->segments[i];
        const struct cella_elf_segment *b = &right->segments[i];
        if (a->offset != b->offset || a->memory_size != b->memory_size || a->permissions != b->permissions)
            add(differences, "segment",
                "segment %zu: %s 0x%" PRIx64 " %" PRIu64 " bytes -> %s 0x%" PRIx64 " %" PRIu64 " bytes", i,
                cli_permissions_text(a->permissions).text, a->offset, a->memory_size,
                cli_permissions_text(b->permissions).text, b->offset, b->memory_size);
    }
}

/* Pages one at a time from runs of them. */
struct page_cursor {
    struct cella_page_iterator iterator;
    struct cella_pages pages;
    uint64_t index;
};

static bool next_page(struct page_cursor *cursor, struct cella_pages *ret_page) {
    if (cursor->index >= cursor->pages.count) {
        if (!cella_page_iterator_next(&cursor->iterator, &cursor->pages))
            return false;
        cursor->index = 0;
    }
    *ret_page = cursor->pages;
    ret_page->offset += cursor->index * CELLA_PAGE_SIZE;
    ret_page->data += cursor->index * cursor->pages.stride;
    cursor->index++;
    return true;
}

static void compare_pages(struct differences *differences, const struct cella_image *left,
                          const struct cella_image *right) {
    struct page_cursor a = {0};
    struct page_cursor b = {0};
    struct cella_pages page_a = {0};
    struct cella_pages page_b = {0};
    cella_page_iterator_init(&a.iterator, left);
    cella_page_iterator_init(&b.iterator, right);
    for (;;) {
        bool has_a = next_page(&a, &page_a);
        bool has_b = next_page(&b, &page_b);
        if (!has_a && !has_b)
            return;
        if (!has_a || !has_b) {
            add(differences, "page", "one image has pages from 0x%" PRIx64 " on that the other has not",
                has_a ? page_a.offset : page_b.offset);
            return;
        }
        if (page_a.offset == page_b.offset && page_a.secinfo_flags == page_b.secinfo_flags &&
            page_a.extended == page_b.extended && memcmp(page_a.data, page_b.data, CELLA_PAGE_SIZE) == 0)
            continue;
        add(differences, "page", "the first page that differs is at 0x%" PRIx64 " (%s)", page_a.offset,
            cella_page_part_name(page_a.part));
        return;
    }
}

static void compare(struct differences *differences, const struct cli_image *left,
                    const struct cli_image *right) {
    const struct cella_sigstruct *a = &left->image.sigstruct;
    const struct cella_sigstruct *b = &right->image.sigstruct;
    if (memcmp(a->enclave_hash, b->enclave_hash, sizeof a->enclave_hash) != 0)
        add(differences, "code hash", "%s -> %s", cli_hash_text(a->enclave_hash).text,
            cli_hash_text(b->enclave_hash).text);
    if (memcmp(a->modulus, b->modulus, sizeof a->modulus) != 0)
        add(differences, "code signer", "%s -> %s", cli_signer_text(a).text, cli_signer_text(b).text);
    if (a->date != b->date)
        add(differences, "date", "%08" PRIx32 " -> %08" PRIx32, a->date, b->date);
    compare_settings(differences, &left->image.settings, &right->image.settings);
    compare_segments(differences, &left->image.elf, &right->image.elf);
    compare_pages(differences, &left->image, &right->image);
    bool same_file = left->size == right->size && memcmp(left->file, right->file, left->size) == 0;
    if (!same_file && json_array_size(differences->list) == 0)
        add(differences, "signature", "only the bytes of the signature differ");
}

/* "holds", or the status word of what is wrong: an image is compared whether it is genuine or not. */
static const char *signature_state(const struct cella_image *image) {
    enum cella_status status = cella_image_verify(image, NULL);
    return status == CELLA_OK ? "holds" : cella_status_name(status);
}

static json_t *json_identity(const char *path, const struct cella_image *image, const char *state) {
    json_t *file = json_string(path);
    /* A path need not be UTF-8; JSON must be. */
    return json_pack("{s:o, s:s, s:b, s:s}", "file", file != NULL ? file : json_null(), "code_hash",
                     cli_hash_text(image->sigstruct.enclave_hash).text, "signature_holds",
                     strcmp(state, "holds") == 0, "signature", state);
}

static void print_identity(const char *path, const struct cella_image *image, const char *state) {
    cli_line(stdout, "%s: code hash %s, signature %s", path,
             cli_hash_text(image->sigstruct.enclave_hash).text, state);
}

static int print(const struct differences *differences, const struct cli_image *left,
                 const struct cli_image *right, char *const paths[2], bool json) {
    size_t count = json_array_size(differences->list);
    if (json) {
        const struct cella_sigstruct *a = &left->image.sigstruct;
        const struct cella_sigstruct *b = &right->image.sigstruct;
        json_t *result = json_pack(
            "{s:b, s:b, s:b, s:O, s:[o, o]}", "identical", count == 0, "code_hash_changed",
            memcmp(a->enclave_hash, b->enclave_hash, sizeof a->enclave_hash) != 0, "code_signer_changed",
            memcmp(a->modulus, b->modulus, sizeof a->modulus) != 0, "differences", differences->list,
            "images", json_identity(paths[0], &left->image, signature_state(&left->image)),
            json_identity(paths[1], &right->image, signature_state(&right->image)));
        if (result == NULL)
            return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(result);
    }
    if (!json && count > 0) {
        print_identity(paths[0], &left->image, signature_state(&left->image));
        print_identity(paths[1], &right->image, signature_state(&right->image));
    }
    for (size_t i = 0; i < count && !json; i++) {
        const json_t *line = json_array_get(differences->list, i);
        printf("%s: %s\n", json_string_value(json_object_get(line, "what")),
               json_string_value(json_object_get(line, "text")));
    }
    return count == 0 ? 0 : 1;
}

int cli_image_diff(int argc, char **argv) {
    static const struct option table[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option != 'j')
            return cli_usage_option(usage, argv);
        json = true;
    }
    if (argc - optind != 2)
        return cli_usage(usage, "name two images");
    struct cella_error error = {0};
    struct cli_image left = {0};
    struct cli_image right = {0};
    struct differences differences = {.list = json_array()};
    enum cella_status status = cli_image_load(argv[optind], &left, &error);
    if (status == CELLA_OK)
        status = cli_image_load(argv[optind + 1], &right, &error);
    int code = 0;
    if (status == CELLA_OK) {
        compare(&differences, &left, &right);
        code = print(&differences, &left, &right, argv + optind, json);
    } else
        code = cli_fail(status, &error, NULL);
    json_decref(differences.list);
    cli_image_unload(&left);
    cli_image_unload(&right);
    return code;
}
