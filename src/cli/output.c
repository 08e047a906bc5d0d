/* What an output option may replace. A wrong word on a command line must not cost a key or a source: nothing
 * here trusts names, only what lies at the path. */
#include "cli/output.h"
#include "base/error.h"
#include "image/format.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_image(const char *path, const struct stat *found) {
    char magic[CELLA_IMAGE_MAGIC_SIZE];
    /* Opening a pipe would wait for its writer. */
    if (!S_ISREG(found->st_mode))
        return false;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    bool same = fread(magic, 1, sizeof magic, file) == sizeof magic &&
                memcmp(magic, CELLA_IMAGE_MAGIC, sizeof magic) == 0;
    (void)fclose(file);
    return same;
}

enum cella_status cli_output_check(const struct cli_output_path *output, struct cella_error *error) {
    struct stat found, input, link;
    const char *path = output->path;
    if (path == NULL || lstat(path, &link) != 0)
        return CELLA_OK;
    bool leads_somewhere = stat(path, &found) == 0;
    for (size_t i = 0; leads_somewhere && i < CLI_OUTPUT_INPUTS; i++)
        if (output->inputs[i] != NULL && stat(output->inputs[i], &input) == 0 &&
            input.st_dev == found.st_dev && input.st_ino == found.st_ino)
            return cella_fail(error, CELLA_EXISTS, "%s is read by this command and cannot be its output",
                              path);
    if (output->kind == CLI_OUTPUT_NEW)
        return cella_fail(error, CELLA_EXISTS, "%s exists already", path);
    if (!leads_somewhere || !is_image(path, &found))
        return cella_fail(error, CELLA_EXISTS, "%s exists and is no image; only an image is replaced", path);
    return CELLA_OK;
}
