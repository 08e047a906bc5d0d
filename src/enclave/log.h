/* Log lines of debug images. In a release image every call does nothing. */
#ifndef CELLA_ENCLAVE_LOG_H
#define CELLA_ENCLAVE_LOG_H

#include <stddef.h>

/* Sends bytes as one line each to the host's log, cut at the frame's size. Callable below libc. */
void cella_log_bytes(const char *text, size_t size);

/* Details of an end, for the host's log of debug images. */
enum cella_end_detail {
    CELLA_DETAIL_ABORT = 2,
    CELLA_DETAIL_SIGNAL = 3,
    CELLA_DETAIL_VAULT = 4,
    CELLA_DETAIL_FRAME = 16
};

#endif
