// The way into the kernel on x86_64.

  .text
// long tender_syscall(number, a, b, c, d, e, f): the seventh lies on the stack.
  .globl tender_syscall
  .type tender_syscall, @function
tender_syscall:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
  ret
  .size tender_syscall, . - tender_syscall

  .section .note.GNU-stack, "", @progbits
