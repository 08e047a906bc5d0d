/* Idle clients for the benchmarks of commits. */
#ifndef CELLA_BENCH_IDLE_H
#define CELLA_BENCH_IDLE_H

#include <cella/enclave.h>

/* Adds `count` senders to those that the mailbox keeps, in the transaction of now. */
enum cella_status idle_add(uint64_t count);

#endif
