/* Files of the host side: whole-file reads with a limit, and writes that never leave a half-written file.
 * Not compiled into images. */
#ifndef CELLA_BASE_FILE_H
#define CELLA_BASE_FILE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdint.h>

/* Reads a whole regular file of at most `limit` bytes into memory that the caller frees (cella_wipe_free for
 * secrets); one zero byte follows the content. CELLA_NOT_FOUND, CELLA_LIMIT (larger), CELLA_PERMISSION,
 * CELLA_IO. */
enum cella_status cella_file_read(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error);

/* The same for a private file: refuses (CELLA_PERMISSION) a file that group or others may read or write. */
enum cella_status cella_file_read_private(const char *path, size_t limit, uint8_t **ret_data,
                                          size_t *ret_size, struct cella_error *error);

enum cella_file_mode { CELLA_FILE_PUBLIC = 0644, CELLA_FILE_PRIVATE = 0600 };

/* Writes beside `path`, flushes, renames over it and flushes the folder: readers see the old or the new
 * bytes. */
enum cella_status cella_file_write(const char *path, struct cella_bytes bytes, enum cella_file_mode mode,
                                   struct cella_error *error);

/* The same, but CELLA_EXISTS (and nothing changed) if `path` exists already. For keys. */
enum cella_status cella_file_create(const char *path, struct cella_bytes bytes, enum cella_file_mode mode,
                                    struct cella_error *error);

#endif
