/* A vault's report as bytes, from the enclave that opened it to its host. The host's own end decides nothing
 * by it: it is for status and logs. Format: formats/door.md, READY. */
#ifndef CELLA_STATE_REPORT_H
#define CELLA_STATE_REPORT_H

#include "state/vault.h"

#define CELLA_VAULT_REPORT_SIZE 248

void cella_vault_report_write(const struct cella_vault_report *report, uint8_t out[CELLA_VAULT_REPORT_SIZE]);
/* CELLA_DAMAGED. */
enum cella_status cella_vault_report_parse(struct cella_bytes bytes, struct cella_vault_report *ret_report,
                                           struct cella_error *error);

#endif
