// The first instructions of a tender on aarch64.

  .text
  .globl _start
  .hidden _start
_start:
  mov x29, #0
  mov x30, #0
  mov x0, sp                  // argc, argv, environment, auxiliary vector
  and sp, x0, #-16
  bl tender_start
  brk #1

  .section .note.GNU-stack, "", %progbits
