/* Plays the CPU for the image: ENCLU leaves, asynchronous exits to the SSA, and resuming from it. The
 * handlers run with the image's thread pointer, so nothing here may use thread-local storage, the stack
 * protector or libc state. */
#include "base/error.h"
#include "enclave/exception.h"
#include "enclave/exit.h"
#include "enclave/thread_data.h"
#include "keeper/keeper.h"
#include <string.h>
#include <ucontext.h>

static struct keeper_thread *this_thread(void) {
    return (struct keeper_thread *)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(KEEPER_BLOCK - 1));
}

static void set_bases(uint64_t fs, uint64_t gs) {
    __asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(fs), "r"(gs));
}

static struct cella_gprsgx *gpr_of(const struct keeper_thread *thread, uint32_t frame) {
    uint64_t page = thread->ssa + (uint64_t)frame * CELLA_PAGE_SIZE;
    return (struct cella_gprsgx *)(page + CELLA_PAGE_SIZE - CELLA_GPRSGX_SIZE);
}

static void save_registers(const greg_t *from, struct cella_registers *to) {
    *to = (struct cella_registers){.rax = (uint64_t)from[REG_RAX],
                                   .rcx = (uint64_t)from[REG_RCX],
                                   .rdx = (uint64_t)from[REG_RDX],
                                   .rbx = (uint64_t)from[REG_RBX],
                                   .rsp = (uint64_t)from[REG_RSP],
                                   .rbp = (uint64_t)from[REG_RBP],
                                   .rsi = (uint64_t)from[REG_RSI],
                                   .rdi = (uint64_t)from[REG_RDI],
                                   .r8 = (uint64_t)from[REG_R8],
                                   .r9 = (uint64_t)from[REG_R9],
                                   .r10 = (uint64_t)from[REG_R10],
                                   .r11 = (uint64_t)from[REG_R11],
                                   .r12 = (uint64_t)from[REG_R12],
                                   .r13 = (uint64_t)from[REG_R13],
                                   .r14 = (uint64_t)from[REG_R14],
                                   .r15 = (uint64_t)from[REG_R15],
                                   .rflags = (uint64_t)from[REG_EFL],
                                   .rip = (uint64_t)from[REG_RIP]};
}

static void restore_registers(const struct cella_registers *from, greg_t *to) {
    to[REG_RAX] = (greg_t)from->rax;
    to[REG_RCX] = (greg_t)from->rcx;
    to[REG_RDX] = (greg_t)from->rdx;
    to[REG_RBX] = (greg_t)from->rbx;
    to[REG_RSP] = (greg_t)from->rsp;
    to[REG_RBP] = (greg_t)from->rbp;
    to[REG_RSI] = (greg_t)from->rsi;
    to[REG_RDI] = (greg_t)from->rdi;
    to[REG_R8] = (greg_t)from->r8;
    to[REG_R9] = (greg_t)from->r9;
    to[REG_R10] = (greg_t)from->r10;
    to[REG_R11] = (greg_t)from->r11;
    to[REG_R12] = (greg_t)from->r12;
    to[REG_R13] = (greg_t)from->r13;
    to[REG_R14] = (greg_t)from->r14;
    to[REG_R15] = (greg_t)from->r15;
    to[REG_EFL] = (greg_t)from->rflags;
    to[REG_RIP] = (greg_t)from->rip;
}

/* Bytes of the signal frame's XSAVE area that go to the SSA: the components an image may use. */
static size_t extended_size(const ucontext_t *context) {
    uint32_t words[2];
    const uint8_t *area = (const uint8_t *)context->uc_mcontext.fpregs;
    memcpy(&words[0], area + 464, 4); /* magic1 of the kernel's description */
    memcpy(&words[1], area + 480, 4); /* size of the area that is in use */
    enum { XSTATE_MAGIC = 0x46505853, LEGACY_SIZE = 512 };
    if (words[0] != XSTATE_MAGIC)
        return LEGACY_SIZE;
    return words[1] < CELLA_XSAVE_SIZE ? words[1] : CELLA_XSAVE_SIZE;
}

/* AEX and the host's EENTER to the exception entry in one step (SDM volume 3D, 38.3 and 39.5). */
static void exit_with_exception(struct keeper_thread *thread, ucontext_t *context, uint32_t vector) {
    greg_t *registers = context->uc_mcontext.gregs;
    uint64_t offset = (uint64_t)registers[REG_RIP] - (uint64_t)thread->instance->base;
    if (thread->cssa >= CELLA_LAYOUT_SSA_FRAMES - 1)
        keeper_end(thread->instance->shared, CELLA_CRASHED, (uint64_t)vector << 48 | offset);
    struct cella_gprsgx *gpr = gpr_of(thread, thread->cssa);
    uint64_t fs;
    uint64_t gs;
    __asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(fs), "=r"(gs));
    save_registers(registers, &gpr->registers);
    gpr->exit_info = CELLA_EXIT_INFO_VALID | 3u << 8 | vector;
    gpr->fs_base = fs;
    gpr->gs_base = gs;
    memcpy((void *)(thread->ssa + (uint64_t)thread->cssa * CELLA_PAGE_SIZE), context->uc_mcontext.fpregs,
           extended_size(context));
    thread->cssa++;
    registers[REG_RAX] = (greg_t)thread->cssa;
    registers[REG_RBX] = (greg_t)thread->tcs;
    registers[REG_RCX] = (greg_t)(uintptr_t)keeper_exception_left;
    registers[REG_RSP] = (greg_t)thread->rsp;
    registers[REG_RIP] = (greg_t)thread->entry;
    set_bases(thread->tls, thread->tls);
}

/* ERESUME: takes the newest SSA frame back. */
static void resume(struct keeper_thread *thread, ucontext_t *context) {
    thread->cssa--;
    struct cella_gprsgx *gpr = gpr_of(thread, thread->cssa);
    uint8_t *area = (uint8_t *)context->uc_mcontext.fpregs;
    uint8_t description[48];
    /* Bytes 464 to 511 are the kernel's own description of the signal frame. */
    memcpy(description, area + 464, sizeof description);
    memcpy(area, (const void *)(thread->ssa + (uint64_t)thread->cssa * CELLA_PAGE_SIZE),
           extended_size(context));
    memcpy(area + 464, description, sizeof description);
    restore_registers(&gpr->registers, context->uc_mcontext.gregs);
    set_bases(gpr->fs_base, gpr->gs_base);
}

static void leave(struct keeper_thread *thread, ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    uint64_t target = (uint64_t)registers[REG_RBX];
    uint64_t reason = (uint64_t)registers[REG_RDI];
    if (thread->cssa == 1 && target == (uint64_t)(uintptr_t)keeper_exception_left) {
        if (reason == CELLA_EXIT_EXCEPTION) {
            resume(thread, context);
            return;
        }
        keeper_end(thread->instance->shared, CELLA_CRASHED, (uint64_t)registers[REG_RSI]);
    }
    if (thread->cssa != 0 || target != (uint64_t)(uintptr_t)keeper_left)
        keeper_end(thread->instance->shared, CELLA_DOOR_BROKEN, 0);
    registers[REG_RSP] = (greg_t)thread->rsp;
    registers[REG_RIP] = (greg_t)target;
    set_bases(thread->fs, thread->gs);
}

static bool inside(const struct keeper_instance *instance, uint64_t address, uint64_t size,
                   uint64_t alignment) {
    uint64_t base = (uint64_t)instance->base;
    return address % alignment == 0 && address >= base && size <= instance->elrange_size &&
           address - base <= instance->elrange_size - size;
}

/* EREPORT and EGETKEY: operands inside the image and aligned as the SDM says, or #GP. */
static bool machine_leaf(struct keeper_thread *thread, greg_t *registers, uint32_t leaf) {
    const struct keeper_instance *instance = thread->instance;
    uint64_t rbx = (uint64_t)registers[REG_RBX];
    uint64_t rcx = (uint64_t)registers[REG_RCX];
    uint64_t rdx = (uint64_t)registers[REG_RDX];
    uint32_t sgx_error;
    if (leaf == ENCLU_EREPORT) {
        if (!inside(instance, rbx, CELLA_TARGET_INFO_SIZE, 512) ||
            !inside(instance, rcx, CELLA_REPORT_DATA_SIZE, 128) ||
            !inside(instance, rdx, CELLA_REPORT_SIZE, 512))
            return false;
        uint8_t input[CELLA_TARGET_INFO_SIZE + CELLA_REPORT_DATA_SIZE];
        memcpy(input, (const void *)rbx, CELLA_TARGET_INFO_SIZE);
        memcpy(input + CELLA_TARGET_INFO_SIZE, (const void *)rcx, CELLA_REPORT_DATA_SIZE);
        sgx_error =
            keeper_machine_call(instance->shared, leaf, input, sizeof input, (void *)rdx, CELLA_REPORT_SIZE);
    } else {
        if (!inside(instance, rbx, CELLA_KEY_REQUEST_SIZE, 512) ||
            !inside(instance, rcx, CELLA_MACHINE_KEY_SIZE, 16))
            return false;
        uint8_t key[CELLA_MACHINE_KEY_SIZE];
        sgx_error = keeper_machine_call(instance->shared, leaf, (const void *)rbx, CELLA_KEY_REQUEST_SIZE,
                                        key, sizeof key);
        if (sgx_error == 0)
            memcpy((void *)rcx, key, sizeof key);
        explicit_bzero(key, sizeof key);
    }
    if (sgx_error == UINT32_MAX)
        return false;
    registers[REG_RAX] = (greg_t)sgx_error;
    registers[REG_RIP] += 3;
    return true;
}

/* The leaves that SGX does not have; operands as theirs. */
static bool counter_leaf(struct keeper_thread *thread, greg_t *registers, uint32_t leaf) {
    uint64_t rbx = (uint64_t)registers[REG_RBX];
    uint64_t rcx = (uint64_t)registers[REG_RCX];
    uint64_t rdx = (uint64_t)registers[REG_RDX];
    uint8_t name[CELLA_COUNTER_NAME_SIZE], mark[CELLA_COUNTER_MARK_SIZE];
    uint64_t value;
    if (!inside(thread->instance, rbx, sizeof name, 32) || !inside(thread->instance, rcx, sizeof value, 8))
        return false;
    if (rdx == 0 ? leaf == ENCLU_COUNTER_INCREMENT : !inside(thread->instance, rdx, sizeof mark, 32))
        return false;
    memcpy(name, (const void *)rbx, sizeof name);
    memcpy(&value, (const void *)rcx, sizeof value);
    if (rdx != 0)
        memcpy(mark, (const void *)rdx, sizeof mark);
    enum cella_status status =
        keeper_counter_call(thread->instance, leaf, name, &value, rdx == 0 ? NULL : mark);
    if (status == CELLA_OK && leaf == ENCLU_COUNTER_READ) {
        memcpy((void *)rcx, &value, sizeof value);
        if (rdx != 0)
            memcpy((void *)rdx, mark, sizeof mark);
    }
    registers[REG_RAX] = (greg_t)status;
    registers[REG_RIP] += 3;
    return true;
}

static bool is_enclu(const uint8_t *at) {
    return at[0] == 0x0f && at[1] == 0x01 && at[2] == 0xd7;
}

static uint32_t vector_of(int number, const siginfo_t *info) {
    switch (number) {
    case SIGILL:
        return CELLA_EXCEPTION_UD;
    case SIGTRAP:
        return CELLA_EXCEPTION_BP;
    case SIGFPE:
        return info->si_code == FPE_INTDIV ? CELLA_EXCEPTION_DE : CELLA_EXCEPTION_XM;
    case SIGBUS:
        return CELLA_EXCEPTION_AC;
    default:
        return info->si_code == SI_KERNEL ? CELLA_EXCEPTION_GP : CELLA_EXCEPTION_PF;
    }
}

static void on_signal(int number, siginfo_t *info, void *opaque) {
    struct keeper_thread *thread = this_thread();
    ucontext_t *context = opaque;
    greg_t *registers = context->uc_mcontext.gregs;
    const struct keeper_instance *instance = thread->instance;
    if (number == SIGSYS) {
        /* The kernel has moved past the instruction; hardware would stop at it with #UD. */
        registers[REG_RIP] -= 2;
    }
    if (!inside(instance, (uint64_t)registers[REG_RIP], 3, 1))
        keeper_end(instance->shared, CELLA_KEEPER, (uint64_t)number);
    if (number == SIGSYS) {
        exit_with_exception(thread, context, CELLA_EXCEPTION_UD);
        return;
    }
    /* ENCLU is #UD where there is no SGX, and #GP outside of an enclave where there is. */
    bool fetch_fault = number == SIGSEGV && info->si_code != SI_KERNEL;
    if (!fetch_fault && is_enclu((const uint8_t *)registers[REG_RIP])) {
        uint32_t leaf = (uint32_t)registers[REG_RAX];
        if (leaf == ENCLU_EEXIT) {
            leave(thread, context);
            return;
        }
        if ((leaf == ENCLU_EREPORT || leaf == ENCLU_EGETKEY) && machine_leaf(thread, registers, leaf))
            return;
        if (leaf >= ENCLU_COUNTER_CREATE && leaf <= ENCLU_COUNTER_INCREMENT &&
            counter_leaf(thread, registers, leaf))
            return;
        exit_with_exception(thread, context, CELLA_EXCEPTION_GP);
        return;
    }
    exit_with_exception(thread, context, vector_of(number, info));
}

enum cella_status keeper_signals_install(struct cella_error *error) {
    static const int numbers[] = {SIGILL, SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigdelset(&action.sa_mask, numbers[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], &action, NULL) != 0)
            return cella_fail(error, CELLA_KEEPER, "cannot install signal handlers");
    return CELLA_OK;
}

enum cella_status keeper_signals_use_stack(struct keeper_thread *thread) {
    stack_t stack = {.ss_sp = (uint8_t *)thread + 4096, .ss_size = KEEPER_BLOCK - 4096};
    return sigaltstack(&stack, NULL) == 0 ? CELLA_OK : CELLA_KEEPER;
}
