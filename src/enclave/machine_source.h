/* Where a vault that is bound to one machine gets its keys (EGETKEY) and its owner register (a counter of the
 * machine). Must not: let what lies on a disk choose to whom a key belongs. Format: formats/machine-key.md.
 */
#ifndef CELLA_ENCLAVE_MACHINE_SOURCE_H
#define CELLA_ENCLAVE_MACHINE_SOURCE_H

#include "image/settings.h"
#include "state/source.h"

#define CELLA_MACHINE_KEY_INFO_SIZE 120

/* Learns who this enclave is, at which versions, and its key policy; before the first use of the two below.
 * Nothing of `settings` is kept. */
void cella_machine_source_init(const struct cella_settings *settings);

/* make: a key of its own for each call, at the versions of now. open: CELLA_VAULT_OTHER_SIGNER if the key is
 * one of another image, as the key policy tells images apart; the rest as source.h says. */
extern const struct cella_key_source cella_machine_keys;

/* The register of a vault is the machine's counter with the vault's id as its name, and the owner's mark is
 * the counter's. It knows the epoch, not the head. CELLA_UNSUPPORTED: the machine has no counters. read,
 * acquire: CELLA_NO_COUNTER. */
extern const struct cella_freshness_source cella_machine_freshness;

#endif
