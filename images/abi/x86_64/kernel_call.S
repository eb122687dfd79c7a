// The way into the host kernel on x86_64.

  .text
// long kernel_call(number, a, b, c, d, e, f): the seventh lies on the stack.
  .globl kernel_call
  .type kernel_call, @function
kernel_call:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
  ret
  .size kernel_call, . - kernel_call

  .section .note.GNU-stack, "", @progbits
