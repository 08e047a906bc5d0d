/* The vault's store over the door: the sealed bytes lie with the host, who may say anything about them. */
#ifndef CELLA_ENCLAVE_VAULT_STORE_H
#define CELLA_ENCLAVE_VAULT_STORE_H

#include "state/store.h"

/* The one store of this instance. Needs the channel. */
extern const struct cella_store cella_vault_store;

/* What the host says of a write, with everything that it may not say turned into CELLA_STORAGE_IO. */
enum cella_status cella_vault_store_status(uint32_t status);

#endif
