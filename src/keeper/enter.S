/* EENTER in software. The way out is not here: ENCLU[EEXIT] faults, and signals.c continues at keeper_left with the
 * stack of keeper_enter and RDI, RSI, RDX as the image left them. */
        .text
        .globl  keeper_enter
        .globl  keeper_left
        .globl  keeper_exception_left
        .type   keeper_enter, @function
/* RDI: struct keeper_thread, RSI: struct keeper_registers */
keeper_enter:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rsi
        rdfsbase %rax
        movq    %rax, 8(%rdi)
        rdgsbase %rax
        movq    %rax, 16(%rdi)
        movq    %rsp, 0(%rdi)
        movq    24(%rdi), %r11
        movq    32(%rdi), %rbx
        movq    40(%rdi), %rax
        wrfsbase %rax
        wrgsbase %rax
        movq    0(%rsi), %rdi
        movq    8(%rsi), %rsi
        leaq    keeper_left(%rip), %rcx
        xorl    %eax, %eax
        jmp     *%r11
keeper_left:
        popq    %rax
        movq    %rdi, 0(%rax)
        movq    %rsi, 8(%rax)
        movq    %rdx, 16(%rax)
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        cld
        ret
        .size   keeper_enter, . - keeper_enter
/* Never executed: its address is what an exception's EENTER gives as RCX. */
keeper_exception_left:
        ud2
        .section .note.GNU-stack, "", @progbits
