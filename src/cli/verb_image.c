/* cella image: its parts are in verb_image_*.c; here is what they share. */
#include "cli/verb_image.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella image build PROGRAM.elf --config enclave.conf --out FILE [OPTIONS]\n"
    "       cella image sign IMAGE --key KEY.pem [OPTIONS]\n"
    "       cella image sign IMAGE --digest-out FILE\n"
    "       cella image sign IMAGE --signature-in FILE --public-key KEY.pem [OPTIONS]\n"
    "       cella image show IMAGE [--json]\n"
    "       cella image pages IMAGE [--json] [--data FILE]\n"
    "       cella image diff IMAGE IMAGE [--json]\n"
    "\n"
    "Makes, signs and explains images: enclave programs in one file, with their settings and\n"
    "their signature. Each part has its own --help.\n"
    "\n"
    "  build   put a program and its settings together and measure them\n"
    "  sign    sign, or prepare and take in a signature of a key that is elsewhere\n"
    "  show    code hash, code signer, versions, settings, layout\n"
    "  pages   every measured operation, to recompute the code hash without Cella\n"
    "  diff    what differs between two images\n";

enum cella_status cli_image_load(const char *path, struct cli_image *ret_image, struct cella_error *error) {
    struct cli_image image = {0};
    enum cella_status status = cella_file_read(path, CELLA_IMAGE_SIZE_LIMIT, &image.file, &image.size, error);
    if (status != CELLA_OK)
        return status;
    status = cella_image_open(CELLA_BYTES(image.file, image.size), &image.image, error);
    if (status != CELLA_OK) {
        free(image.file);
        return cella_fail_context(error, status, "%s", path);
    }
    *ret_image = image;
    return CELLA_OK;
}

void cli_image_unload(struct cli_image *image) {
    free(image->file);
    image->file = NULL;
}

struct cli_hash_text cli_hash_text(const uint8_t hash[CELLA_SHA256_SIZE]) {
    struct cli_hash_text text;
    cella_hex_encode(hash, CELLA_SHA256_SIZE, text.text);
    return text;
}

struct cli_hash_text cli_signer_text(const struct cella_sigstruct *sigstruct) {
    struct cli_hash_text text = {"unsigned"};
    uint8_t signer[CELLA_SHA256_SIZE];
    if (sigstruct->is_signed) {
        cella_sigstruct_code_signer(sigstruct, signer);
        text = cli_hash_text(signer);
    }
    return text;
}

struct cli_permissions_text cli_permissions_text(uint64_t flags) {
    return (struct cli_permissions_text){{(flags & CELLA_PAGE_READ) != 0 ? 'r' : '-',
                                          (flags & CELLA_PAGE_WRITE) != 0 ? 'w' : '-',
                                          (flags & CELLA_PAGE_EXECUTE) != 0 ? 'x' : '-', '\0'}};
}

size_t cli_image_weak(const struct cella_image *image, const char *names[CLI_WEAK_LIMIT]) {
    size_t count = 0;
    uint8_t signer[CELLA_SHA256_SIZE];
    if (image->settings.debug)
        names[count++] = "debug image";
    cella_sigstruct_code_signer(&image->sigstruct, signer);
    if (memcmp(signer, cella_development_signer, sizeof signer) == 0)
        names[count++] = "INSECURE development signer";
    return count;
}

int cli_verb_image(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } parts[] = {{"build", cli_image_build},
                 {"sign", cli_image_sign},
                 {"show", cli_image_show},
                 {"pages", cli_image_pages},
                 {"diff", cli_image_diff}};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc < 2)
        return cli_usage(usage, "cella image needs one of build, sign, show, pages, diff");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].name, argv[1]) == 0)
            return parts[i].run(argc - 1, argv + 1);
    return cli_usage(usage, "cella image has no part \"%s\"", argv[1]);
}
