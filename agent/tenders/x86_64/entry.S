// The first instructions of a tender on x86_64.

  .text
  .globl _start
  .hidden _start
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi              // argc, argv, environment, auxiliary vector
  and $-16, %rsp
  call tender_start
  ud2

  .section .note.GNU-stack, "", @progbits
