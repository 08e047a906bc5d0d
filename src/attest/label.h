/* What an instance's signature covers: "cella/sign/1", 0, label, 0, message. One place, for the side that
 * signs and the side that verifies. */
#ifndef CELLA_ATTEST_LABEL_H
#define CELLA_ATTEST_LABEL_H

#include <cella/bytes.h>
#include <cella/status.h>

#define CELLA_LABEL_SIZE_MAX 64

/* Frames a message in memory that the caller frees. CELLA_ARGUMENT: the label is not 1 to 64 printable
 * characters; CELLA_LIMIT: the message is larger than 16 MiB; CELLA_NO_MEMORY. */
enum cella_status cella_label_frame(const char *label, struct cella_bytes message, uint8_t **ret_data,
                                    size_t *ret_size, struct cella_error *error);

#endif
