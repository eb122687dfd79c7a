// The way into the host kernel on aarch64.

  .text
// long kernel_call(number, a, b, c, d, e, f)
  .globl kernel_call
  .type kernel_call, %function
kernel_call:
  mov x8, x0
  mov x0, x1
  mov x1, x2
  mov x2, x3
  mov x3, x4
  mov x4, x5
  mov x5, x6
  svc #0
  ret
  .size kernel_call, . - kernel_call

  .section .note.GNU-stack, "", %progbits
