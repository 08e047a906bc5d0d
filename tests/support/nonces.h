/* Watches every nonce that is used to seal. A program that links cella_test_nonces has all calls of
 * cella_aead_init, cella_aead_seal and cella_aead_seal_two recorded; they work as always. */
#ifndef CELLA_TEST_NONCES_H
#define CELLA_TEST_NONCES_H

#include <stddef.h>

/* How often something was sealed since the program began. */
size_t test_nonces_used(void);
/* How often that used a nonce that had been used under the same key before: never. */
size_t test_nonces_repeated(void);

#endif
