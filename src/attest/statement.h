/* The instance statement: the keys and the vault that an instance binds into its report data. Bytes as in
 * formats/statement.md. Compiled for both sides. */
#ifndef CELLA_ATTEST_STATEMENT_H
#define CELLA_ATTEST_STATEMENT_H

#include <cella/verify.h>

/* Room for every statement that this release writes, and the largest that it reads. */
#define CELLA_STATEMENT_SIZE_MAX 2048
#define CELLA_REPORT_DATA_SIZE   64

/* Writes the statement to `out`. CELLA_ARGUMENT: fields that contradict each other (a warden group without a
 * vault, a vault id that is not its genesis's, a freshness that does not fit); CELLA_TOO_SMALL:
 * CELLA_STATEMENT_SIZE_MAX always suffices. */
enum cella_status cella_statement_write(const struct cella_statement *statement, uint8_t *out,
                                        size_t capacity, size_t *ret_size, struct cella_error *error);

/* Reads a statement and refuses whatever cella_statement_write() would not have written, but for optional
 * fields of newer releases. CELLA_DAMAGED; CELLA_NEWER_FORMAT: a field that must be understood is not. */
enum cella_status cella_statement_parse(struct cella_bytes bytes, struct cella_statement *ret_statement,
                                        struct cella_error *error);

/* Report data: SHA-256 of the statement's bytes, then SHA-256 of the nonce, or zeros if `nonce` is NULL. */
void cella_statement_report_data(struct cella_bytes statement, const uint8_t nonce[CELLA_NONCE_SIZE],
                                 uint8_t ret_report_data[CELLA_REPORT_DATA_SIZE]);

#endif
