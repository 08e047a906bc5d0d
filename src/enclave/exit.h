/* Leaving the enclave: the few reasons for EEXIT and their arguments. Shared with the keeper, which serves
 * them. Nothing that crosses here is trusted by the enclave when it comes back. */
#ifndef CELLA_ENCLAVE_EXIT_H
#define CELLA_ENCLAVE_EXIT_H

#include <stdint.h>

/* RDI at EEXIT is the reason; RSI, RDX its arguments. At the next EENTER of the same TCS, RDI holds the
 * result. */
enum cella_exit_reason {
    CELLA_EXIT_WAIT = 1,      /* sleep until the futex word at RSI (in the door) is no longer RDX */
    CELLA_EXIT_WAKE = 2,      /* wake RDX sleepers of the word at RSI (in the door) */
    CELLA_EXIT_THREADS = 3,   /* let the other threads enter */
    CELLA_EXIT_FINISHED = 4,  /* end the instance in order; RSI is the program's exit code */
    CELLA_EXIT_FAILED = 5,    /* end it with the cella_status RSI; RDX is a detail for the log */
    CELLA_EXIT_IDLE = 6,      /* this thread has nothing to run and never will */
    CELLA_EXIT_EXCEPTION = 7, /* after an exception was handled: resume (ERESUME) the interrupted code */
    CELLA_EXIT_CRASH = 8,     /* the program faulted: RSI is vector, RDX the offset in the image */
};

/* The detail of a crash of a release image. */
#define CELLA_DETAIL_HIDDEN (UINT64_C(0xff) << 48)

/* First EENTER of every thread: RDI is the door's address, RSI its size. */

#endif
