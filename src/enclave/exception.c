/* The first look at an exception, on the exception stack: a system call is turned into a call of our own
 * server on the interrupted stack; anything else is the program's crash. Compiled without vector registers.
 * Must not use libc. */
#include "enclave/exception.h"
#include "enclave/exit.h"
#include "enclave/inside.h"
#include "enclave/thread_data.h"

extern const uint8_t __ehdr_start[] __attribute__((visibility("hidden")));
void cella_syscall_entry(void) __attribute__((visibility("hidden")));
struct cella_exception_result cella_exception(const uint8_t *image, uint8_t *ssa_frame);

enum { RED_ZONE = 128 };

/* A machine without our counter leaves: #GP, which hardware reports only if MISCSELECT asks for it, so a
 * fault without information counts as well. */
static bool is_missing_counter(const struct cella_gprsgx *gpr, const uint8_t *at) {
    uint32_t info = gpr->exit_info;
    bool may_be_gp =
        (info & CELLA_EXIT_INFO_VALID) == 0 || (info & CELLA_EXIT_INFO_VECTOR) == CELLA_EXCEPTION_GP;
    return may_be_gp && at[0] == 0x0f && at[1] == 0x01 && at[2] == 0xd7 &&
           gpr->registers.rax >= ENCLU_COUNTER_CREATE && gpr->registers.rax <= ENCLU_COUNTER_INCREMENT;
}

struct cella_exception_result cella_exception(const uint8_t *image, uint8_t *ssa_frame) {
    struct cella_gprsgx *gpr = (struct cella_gprsgx *)(void *)(ssa_frame + TD_PAGE_SIZE - CELLA_GPRSGX_SIZE);
    uint32_t info = gpr->exit_info;
    const uint8_t *at = (const uint8_t *)gpr->registers.rip;
    uint64_t vector = info & CELLA_EXIT_INFO_VECTOR;
    /* Only fault vectors that hardware reports are trusted; `at` was just executed, so it is readable. */
    if ((info & CELLA_EXIT_INFO_VALID) != 0 && vector == CELLA_EXCEPTION_UD && at[0] == 0x0f &&
        at[1] == 0x05) {
        uint64_t top = (gpr->registers.rsp - RED_ZONE - sizeof(struct cella_registers)) & ~(uint64_t)63;
        struct cella_registers *frame = (struct cella_registers *)top;
        *frame = gpr->registers;
        frame->rip += 2;
        gpr->registers.rsp = top;
        gpr->registers.rdi = top;
        gpr->registers.rip = (uint64_t)&cella_syscall_entry;
        return (struct cella_exception_result){.reason = CELLA_EXIT_EXCEPTION};
    }
    if (is_missing_counter(gpr, at)) {
        gpr->registers.rax = CELLA_UNSUPPORTED;
        gpr->registers.rip += 3;
        return (struct cella_exception_result){.reason = CELLA_EXIT_EXCEPTION};
    }
    if ((info & CELLA_EXIT_INFO_VALID) == 0)
        vector = 0xff;
    /* Where a release image faulted may depend on its secrets, and hardware does not tell the host either. */
    uint64_t detail = cella_inside_debug ? vector << 48 | (uint64_t)(at - image) : CELLA_DETAIL_HIDDEN;
    return (struct cella_exception_result){.reason = CELLA_EXIT_CRASH, .detail = detail};
}
