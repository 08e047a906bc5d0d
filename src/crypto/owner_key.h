/* Keys of a vault's owners: Ed25519 keys in PEM files, of the form that other programs use too (RFC 8410).
 * Not compiled into images. */
#ifndef CELLA_CRYPTO_OWNER_KEY_H
#define CELLA_CRYPTO_OWNER_KEY_H

#include "crypto/ed25519.h"
#include <stdbool.h>

#define CELLA_OWNER_PEM_LIMIT 4096

/* BEGIN PRIVATE KEY, without passphrase. CELLA_KEY_INVALID. The key is deinitialised by the caller. */
enum cella_status cella_owner_key_read(struct cella_bytes pem, struct cella_ed25519_key *ret_key,
                                       struct cella_error *error);
/* The public half of such a file, or of BEGIN PUBLIC KEY. CELLA_KEY_INVALID. */
enum cella_status cella_owner_key_read_public(struct cella_bytes pem,
                                              uint8_t ret_public[CELLA_ED25519_PUBLIC_SIZE],
                                              bool *ret_is_private, struct cella_error *error);
/* Terminated text from malloc; the private one is wiped by the caller (cella_wipe_free). */
enum cella_status cella_owner_key_write(const struct cella_ed25519_key *key, char **ret_pem,
                                        size_t *ret_size);
enum cella_status cella_owner_key_write_public(const struct cella_ed25519_key *key, char **ret_pem,
                                               size_t *ret_size);

#endif
