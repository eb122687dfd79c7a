// The way into the kernel on aarch64.

  .text
// long tender_syscall(number, a, b, c, d, e, f)
  .globl tender_syscall
  .type tender_syscall, %function
tender_syscall:
  mov x8, x0
  mov x0, x1
  mov x1, x2
  mov x2, x3
  mov x3, x4
  mov x4, x5
  mov x5, x6
  svc #0
  ret
  .size tender_syscall, . - tender_syscall

  .section .note.GNU-stack, "", %progbits
