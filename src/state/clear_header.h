/* What stands in the clear at the start of segments and snapshots alike: whose the file is, and how its key
 * is found. For the files of src/state that read and write those. Format: formats/journal.md. */
#ifndef CELLA_STATE_CLEAR_HEADER_H
#define CELLA_STATE_CLEAR_HEADER_H

#include "base/reader.h"
#include "base/writer.h"
#include "state/journal.h"

#define CELLA_CLEAR_HEADER_SIZE  1024
#define CELLA_CLEAR_HEADER_MAGIC 4 /* bytes */

struct cella_clear_header {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint8_t salt[CELLA_SEGMENT_SALT_SIZE];
    struct cella_key_info key_info;
};

/* Writes the common fields into a writer on exactly CELLA_CLEAR_HEADER_SIZE bytes; the caller adds its own
 * behind them. */
void cella_clear_header_write(struct cella_writer *writer, const char *magic,
                              const struct cella_clear_header *header);
/* Fills the rest: zeros, the tag that only a holder of the key can make, the checksum. CELLA_CRYPTO. */
enum cella_status cella_clear_header_end(struct cella_writer *writer, struct cella_aead *aead);

/* Checks size, magic, format and checksum, reads the common fields and leaves `reader` at the caller's own.
 * CELLA_DAMAGED, CELLA_NEWER_FORMAT. */
enum cella_status cella_clear_header_parse(struct cella_bytes bytes, const char *magic,
                                           struct cella_reader *reader, struct cella_clear_header *ret_header,
                                           struct cella_error *error);
/* After the caller's own fields: only zeros up to the tag. */
enum cella_status cella_clear_header_parse_end(struct cella_reader *reader, struct cella_error *error);

/* Of a header that was parsed or ended. CELLA_AUTHENTICATION: not made with this key. */
enum cella_status cella_clear_header_verify(const uint8_t header[CELLA_CLEAR_HEADER_SIZE],
                                            struct cella_aead *aead, struct cella_error *error);
/* The checksum: 32 bytes that stand for the whole header in associated data. */
const uint8_t *cella_clear_header_digest(const uint8_t header[CELLA_CLEAR_HEADER_SIZE]);

/* Prepares `aead` with the key for one purpose: HKDF over the salt, with a label and what it is bound to as
 * info. */
enum cella_status cella_clear_header_key(const struct cella_clear_header *header,
                                         const uint8_t root_key[CELLA_ROOT_KEY_SIZE], struct cella_bytes info,
                                         struct cella_aead *aead);
/* Nonce number `number`; 0 is the header's own. */
void cella_clear_header_nonce(uint64_t number, uint8_t ret_nonce[CELLA_AEAD_NONCE_SIZE]);

#endif
