/* What the parts of `cella image` share. */
#ifndef CELLA_CLI_VERB_IMAGE_H
#define CELLA_CLI_VERB_IMAGE_H

#include "image/image.h"

/* An image file in memory. Zero it before use; cli_image_unload frees and accepts zeroed ones. */
struct cli_image {
    uint8_t *file;
    size_t size;
    struct cella_image image;
};

/* Reads and opens; messages begin with the path. */
enum cella_status cli_image_load(const char *path, struct cli_image *ret_image, struct cella_error *error);
void cli_image_unload(struct cli_image *image);

/* 64 digits and a terminator of a code hash or code signer. */
struct cli_hash_text {
    char text[2 * CELLA_SHA256_SIZE + 1];
};
struct cli_hash_text cli_hash_text(const uint8_t hash[CELLA_SHA256_SIZE]);
/* The signer's hash, or "unsigned". */
struct cli_hash_text cli_signer_text(const struct cella_sigstruct *sigstruct);

/* "r-x" */
struct cli_permissions_text {
    char text[4];
};
struct cli_permissions_text cli_permissions_text(uint64_t flags);

/* The choices of an image that make it weak, by name. Returns how many were put into `names`. */
#define CLI_WEAK_LIMIT 2
size_t cli_image_weak(const struct cella_image *image, const char *names[CLI_WEAK_LIMIT]);

/* The parts: argv[0] is the part's name. */
int cli_image_build(int argc, char **argv);
int cli_image_sign(int argc, char **argv);
int cli_image_show(int argc, char **argv);
int cli_image_pages(int argc, char **argv);
int cli_image_diff(int argc, char **argv);

#endif
