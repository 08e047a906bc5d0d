/* The bytes of the echo enclave's program, never run. */
    .section .rodata
    .globl bench_ballast
bench_ballast:
    .incbin BENCH_BALLAST
    .section .note.GNU-stack, "", %progbits
