/* Runs a fuzz target over its checked-in corpus: every file, every truncation of the small ones, and one
 * changed byte at a time. Fails when the corpus is missing, so that the test cannot pass by running nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_LIMIT = 1 << 20, CHANGED_LIMIT = 8192 };

/* Exactly-sized copies, so that a sanitizer sees every read past the end. */
static void run_copy(const uint8_t *data, size_t size, size_t changed_at, uint8_t change) {
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL)
        exit(1);
    memcpy(copy, data, size);
    if (changed_at < size)
        copy[changed_at] ^= change;
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const uint8_t *data, size_t size) {
    run_copy(data, size, size, 0);
    size_t step = size <= CHANGED_LIMIT ? 1 : size / CHANGED_LIMIT + 1;
    for (size_t at = 0; at < size; at += step) {
        run_copy(data, at, at, 0);
        run_copy(data, size, at, 0xff);
        run_copy(data, size, at, 0x01);
    }
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    DIR *folder = opendir(arguments[1]);
    if (folder == NULL) {
        fprintf(stderr, "no corpus at %s\n", arguments[1]);
        return 1;
    }
    static uint8_t data[FILE_LIMIT];
    unsigned files = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name);
        FILE *file = fopen(path, "rb");
        if (file == NULL)
            return 1;
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        run_file(data, size);
        files++;
    }
    closedir(folder);
    printf("%u corpus files\n", files);
    return files > 0 ? 0 : 1;
}
