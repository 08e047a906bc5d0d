/* Where a TCS enters the image, where it leaves, and where exceptions and system calls come in.
 *
 * EENTER gives RAX = CSSA, RBX = TCS, RCX = the address to leave to, FS and GS base = the thread's TLS page; every other
 * register and the flags are the host's (SDM volume 3D, 38.5 and the EENTER page). EEXIT goes to RBX.
 * Must not: trust a register of the host, or leave with a register that holds something of ours. */
#include "enclave/thread_data.h"

        .text
        .hidden __ehdr_start

/* Sets flags, x87, MXCSR and vector registers to a known state: on entry against the host, on exit for secrecy.
 * Clobbers RAX and RDX. */
.macro CLEAN_STATE
        cld
        movl    $CELLA_XSAVE_MASK, %eax
        xorl    %edx, %edx
        xrstor  clean_state(%rip)
.endm

        .globl  cella_entry
        .hidden cella_entry
        .type   cella_entry, @function
cella_entry:
        testq   %rax, %rax
        jnz     exception_entry
        /* The alignment-check and single-step flags are the host's; set all flags to none. */
        movq    %rcx, %gs:TD_EXIT_TO
        movq    %gs:TD_EXIT_RSP, %rax
        testq   %rax, %rax
        jnz     back_from_exit
        cmpq    $0, %gs:TD_STARTED
        jne     enter_twice
        leaq    __ehdr_start(%rip), %r12
        /* Only the first thread starts at the top of its stack: libc keeps its own data at the top of the others'. */
        movq    %gs:TD_STACK_TOP, %rsp
        cmpq    $0, %gs:TD_INDEX
        cmovneq %gs:TD_EXCEPTION_STACK, %rsp
        addq    %r12, %rsp
        pushq   $0x2
        popfq
        movq    $1, %gs:TD_STARTED
        CLEAN_STATE
        xorl    %ebp, %ebp
        cmpq    $0, %gs:TD_INDEX
        jne     other_thread
        /* The first thread: build the stack that libc expects, then start libc. RDI, RSI: the door. */
        movq    %r12, %rdx
        movq    %rsp, %rcx
        /* What the call builds lies at the top, its own frame below that. */
        subq    $1024, %rsp
        call    cella_first_stack
        movq    %rax, %rsp
        xorl    %edx, %edx
        xorl    %ebp, %ebp
        jmp     _start

/* A thread that libc has asked for: take over the registers that its clone left. */
other_thread:
        movq    %gs:TD_INDEX, %rdi
        call    cella_thread_take
        testq   %rax, %rax
        jz      1f
        movq    %rax, %rdi
        jmp     load_frame
1:      movl    $6, %edi /* CELLA_EXIT_IDLE */
        call    cella_exit
        ud2

enter_twice:
        ud2

/* uint64_t cella_exit(uint64_t reason, uint64_t argument, uint64_t argument) */
        .globl  cella_exit
        .hidden cella_exit
        .type   cella_exit, @function
cella_exit:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        subq    $8, %rsp
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        rdfsbase %rax
        movq    %rax, %gs:TD_EXIT_FS
        movq    %rdx, %r8
        CLEAN_STATE
        movq    %r8, %rdx
        movq    %rsp, %gs:TD_EXIT_RSP
        movq    %gs:TD_EXIT_TO, %rbx
        xorl    %ecx, %ecx
        xorl    %ebp, %ebp
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        xorl    %r10d, %r10d
        xorl    %r11d, %r11d
        xorl    %r12d, %r12d
        xorl    %r13d, %r13d
        xorl    %r14d, %r14d
        xorl    %r15d, %r15d
        /* Not even how deep the stack is. */
        xorl    %esp, %esp
        movl    $ENCLU_EEXIT, %eax
        .byte   0x0f, 0x01, 0xd7 /* ENCLU */
        ud2

back_from_exit:
        movq    %rax, %rsp
        movq    $0, %gs:TD_EXIT_RSP
        pushq   $0x2
        popfq
        movq    %gs:TD_EXIT_FS, %rax
        wrfsbase %rax
        CLEAN_STATE
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        movq    %rdi, %rax
        ret
        .size   cella_entry, . - cella_entry

/* An exception inside the image: the interrupted state lies in SSA frame 0. Runs on the exception stack, decides what
 * goes on, and leaves; the host then resumes the SSA frame. */
        .type   exception_entry, @function
exception_entry:
        cmpq    $1, %rax
        jne     enter_twice
        movq    %rcx, %gs:TD_AEX_TO
        leaq    __ehdr_start(%rip), %rdi
        movq    %gs:TD_EXCEPTION_STACK, %rsp
        addq    %rdi, %rsp
        pushq   $0x2
        popfq
        CLEAN_STATE
        xorl    %ebp, %ebp
        movq    %gs:TD_SSA, %rsi
        addq    %rdi, %rsi
        call    cella_exception
        /* RAX: the reason (resume or crash), RDX: vector << 32 | offset for a crash. */
        movq    %rax, %rdi
        movq    %rdx, %rsi
        movq    %gs:TD_AEX_TO, %rbx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        xorl    %r10d, %r10d
        xorl    %r11d, %r11d
        xorl    %esp, %esp
        movl    $ENCLU_EEXIT, %eax
        .byte   0x0f, 0x01, 0xd7 /* ENCLU */
        ud2
        .size   exception_entry, . - exception_entry

/* The interrupted code continues here after a trapped system call, on its own stack: RDI = the frame of its registers,
 * 16-aligned RSP below it. The call is served with all vector registers saved, then every register but RAX, RCX and R11
 * is as before, as system calls leave them. */
        .globl  cella_syscall_entry
        .hidden cella_syscall_entry
        .type   cella_syscall_entry, @function
cella_syscall_entry:
        movq    %rdi, %rbx
        subq    $(CELLA_XSAVE_SIZE + 64), %rsp
        andq    $-64, %rsp
        movq    %rsp, %r12
        /* The header of the XSAVE area must be zero before its first use (SDM volume 1, 13.4.2). */
        xorl    %eax, %eax
        movq    %rax, 512(%r12)
        movq    %rax, 520(%r12)
        movq    %rax, 528(%r12)
        movq    %rax, 536(%r12)
        movq    %rax, 544(%r12)
        movq    %rax, 552(%r12)
        movq    %rax, 560(%r12)
        movq    %rax, 568(%r12)
        movl    $CELLA_XSAVE_MASK, %eax
        xorl    %edx, %edx
        xsave   (%r12)
        movq    %rbx, %rdi
        call    cella_syscall_serve
        movl    $CELLA_XSAVE_MASK, %eax
        xorl    %edx, %edx
        xrstor  (%r12)
        movq    %rbx, %rdi
/* RDI: struct cella_registers, see exception.h for the order. */
load_frame:
        movq    0(%rdi), %rax
        movq    16(%rdi), %rdx
        movq    24(%rdi), %rbx
        movq    40(%rdi), %rbp
        movq    48(%rdi), %rsi
        movq    64(%rdi), %r8
        movq    72(%rdi), %r9
        movq    80(%rdi), %r10
        movq    96(%rdi), %r12
        movq    104(%rdi), %r13
        movq    112(%rdi), %r14
        movq    120(%rdi), %r15
        pushq   128(%rdi)
        popfq
        movq    136(%rdi), %rcx
        movq    32(%rdi), %rsp
        movq    56(%rdi), %rdi
        jmp     *%rcx
        .size   cella_syscall_entry, . - cella_syscall_entry

        .section .rodata
        .balign 64
/* An XSAVE area in which nothing is in use: XRSTOR then sets every component to its initial state; MXCSR is loaded. */
clean_state:
        .word   0x037f
        .zero   22
        .long   0x1f80
        .zero   (CELLA_XSAVE_SIZE - 28)

        .section .note.GNU-stack, "", @progbits
