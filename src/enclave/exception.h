/* Registers of interrupted code, as the SSA frame's GPRSGX region has them. */
#ifndef CELLA_ENCLAVE_EXCEPTION_H
#define CELLA_ENCLAVE_EXCEPTION_H

#include <stdint.h>

/* SDM volume 3D, table 38-9 (GPRSGX). Our own copies have the same order; entry.S knows the offsets. */
struct cella_registers {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags, rip;
};

struct cella_gprsgx {
    struct cella_registers registers;
    uint64_t ursp, urbp;
    uint32_t exit_info;
    uint32_t reserved;
    uint64_t fs_base, gs_base;
};

#define CELLA_GPRSGX_SIZE 184

/* EXITINFO: vector in bits 7:0, type in bits 10:8, valid in bit 31 (SDM volume 3D, table 38-10). */
#define CELLA_EXIT_INFO_VALID  0x80000000u
#define CELLA_EXIT_INFO_VECTOR 0xffu
#define CELLA_EXCEPTION_DE     0u
#define CELLA_EXCEPTION_BP     3u
#define CELLA_EXCEPTION_UD     6u
#define CELLA_EXCEPTION_GP     13u
#define CELLA_EXCEPTION_PF     14u
#define CELLA_EXCEPTION_MF     16u
#define CELLA_EXCEPTION_AC     17u
#define CELLA_EXCEPTION_XM     19u

/* What the exception entry does next. */
struct cella_exception_result {
    uint64_t reason; /* enum cella_exit_reason */
    uint64_t detail; /* for a crash: vector << 48 | offset of the instruction in the image */
};

/* Serves a trapped system call; writes the result to frame->rax. */
void cella_syscall_serve(struct cella_registers *frame);

/* The registers with which thread `index` was asked for by clone, or NULL. Each is given once. */
struct cella_registers *cella_thread_take(uint64_t index);

#endif
