/* The keeper's own parts. Two processes: the monitor, which holds the machine, and the instance, which runs
 * the image in a sandbox. They share one page-aligned block. */
#ifndef CELLA_KEEPER_KEEPER_H
#define CELLA_KEEPER_KEEPER_H

#include "door/door.h"
#include "image/image.h"
#include "keeper/control.h"
#include "machine/machine.h"
#include <cella/status.h>
#include <signal.h>
#include <sys/types.h>

enum { KEEPER_THREADS = CELLA_DOOR_THREADS, KEEPER_BLOCK = 65536, KEEPER_COUNTERS = 4 };

/* How far the start has come; a futex word. */
enum keeper_stage { KEEPER_NEW, KEEPER_MAPPED_USER, KEEPER_LOADED, KEEPER_LAUNCHED, KEEPER_REFUSED };

enum keeper_request { KEEPER_IDLE, KEEPER_ASKED, KEEPER_ANSWERED };

/* Shared by monitor and instance. The monitor treats what the instance writes after its start as hostile: it
 * copies once and checks. */
struct keeper_shared {
    uint32_t stage;
    uint32_t sandbox;
    uint32_t failed_status; /* a failure of the instance process before the image ran */
    char failed_message[256];
    /* ENCLU leaves that need the machine. */
    uint32_t lock;
    uint32_t request; /* futex word */
    uint32_t leaf;
    uint32_t sgx_error;
    uint8_t input[CELLA_TARGET_INFO_SIZE + CELLA_REPORT_DATA_SIZE];
    uint8_t output[CELLA_REPORT_SIZE];
    /* How the image ended. */
    uint32_t ended;
    uint32_t end_status;
    uint64_t end_detail;
};

/* A counter that was read before, for the next time. */
struct keeper_counter {
    uint32_t taken;
    uint32_t ready; /* the rest is valid */
    uint8_t name[CELLA_COUNTER_NAME_SIZE];
    uint64_t offset; /* of its value in the machine's memory of counters */
};

/* A counter leaf's operands on their way to the monitor, and what comes back. */
struct keeper_counter_call {
    uint8_t name[CELLA_COUNTER_NAME_SIZE];
    struct cella_machine_counter counter;
};

/* What is loaded, in the instance process. */
struct keeper_instance {
    const struct cella_image *image;
    struct keeper_shared *shared;
    struct cella_door_region *door;
    uint8_t *base;
    uint64_t elrange_size;
    uint32_t thread_count;
    uint32_t
        threads_ready; /* futex word: how many of the other threads need no system call but futex any more */
    uint32_t threads_go;         /* futex word: the other threads may enter */
    struct cella_bytes counters; /* of the whole machine, read-only; empty if it has none */
    struct keeper_counter known_counters[KEEPER_COUNTERS];
};

/* One TCS and the host thread that enters it; lies at the start of an aligned block whose rest is its signal
 * stack. enter.S knows the first offsets. */
struct keeper_thread {
    uint64_t rsp;   /* 0: host stack while inside */
    uint64_t fs;    /* 8 */
    uint64_t gs;    /* 16 */
    uint64_t entry; /* 24: OENTRY */
    uint64_t tcs;   /* 32 */
    uint64_t tls;   /* 40: OFSBASE and OGSBASE */
    uint64_t ssa;   /* frame 0 */
    uint32_t cssa;  /* SSA frames in use */
    struct keeper_instance *instance;
};

/* RDI, RSI and RDX at EENTER and EEXIT. */
struct keeper_registers {
    uint64_t rdi, rsi, rdx;
};

/* EENTER with CSSA 0; returns at EEXIT. */
void keeper_enter(struct keeper_thread *thread, struct keeper_registers *registers);
/* Where EEXIT goes to (RCX at EENTER); a different one for exceptions, so that the exits cannot be confused.
 */
extern const char keeper_left[];
extern const char keeper_exception_left[];

/* load.c: reserves ELRANGE and puts the image's pages there. */
enum cella_status keeper_load(struct keeper_instance *instance, struct cella_error *error);

/* signals.c: installs the handlers that play the CPU: ENCLU, system calls as #UD, faults as AEX. */
enum cella_status keeper_signals_install(struct cella_error *error);
enum cella_status keeper_signals_use_stack(struct keeper_thread *thread);

/* sandbox.c */
pid_t keeper_clone(bool *ret_namespaces);
bool keeper_map_user(pid_t child);
/* `monitor_fd`: a pidfd of the monitor. */
enum cella_status keeper_sandbox_early(struct keeper_shared *shared, bool namespaces, bool own_user,
                                       int monitor_fd, struct cella_error *error);
enum cella_status keeper_sandbox_seal(struct cella_error *error);

/* instance.c: the instance process from its first instruction; does not return. */
_Noreturn void keeper_instance_main(const struct cella_image *image, struct keeper_shared *shared,
                                    struct cella_bytes counters, bool namespaces, int monitor_fd);
/* Records how the image ended and ends the process. Callable from a signal handler. */
_Noreturn void keeper_end(struct keeper_shared *shared, enum cella_status status, uint64_t detail);

/* machine_call.c: asks the monitor to carry out a leaf; returns the SGX error code, for counters a
 * cella_status. */
uint32_t keeper_machine_call(struct keeper_shared *shared, uint32_t leaf, const void *input,
                             size_t input_size, void *output, size_t output_size);
/* counter.c: a counter leaf; value and mark are set by a read, and taken by an increment. `mark` may be NULL
 * when a read is not to give it. */
enum cella_status keeper_counter_call(struct keeper_instance *instance, uint32_t leaf,
                                      const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t *value,
                                      uint8_t *mark);
/* The monitor's side: serves until the process ends. */
void keeper_machine_serve(struct keeper_shared *shared, struct cella_machine *machine,
                          const struct cella_machine_identity *identity);

/* futex.c: raw system calls, no errno. */
void keeper_futex_wait(uint32_t *word, uint32_t seen);
void keeper_futex_wake(uint32_t *word, uint32_t count);

#endif
