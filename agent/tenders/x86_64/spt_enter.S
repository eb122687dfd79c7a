// In a page of its own, the only one of the tender that stays: unmap all else, load the filter,
// forget every register, jump. In: RDI = Enter (spt/enter.h).

#include <asm/unistd.h>

  .section .trampoline, "ax", @progbits
  .balign 4096
  .globl spt_trampoline
  .hidden spt_trampoline
  .globl spt_enter
  .hidden spt_enter
spt_trampoline:
spt_enter:
  mov 16(%rdi), %rbx          // high_begin
  mov 24(%rdi), %rbp          // high_size
  mov 32(%rdi), %r12          // filter
  mov 40(%rdi), %r13          // entry
  mov 48(%rdi), %rsp          // stack
  mov 56(%rdi), %r14          // boot_info
  mov 8(%rdi), %rsi           // low_size
  mov 0(%rdi), %rdi           // low_begin
  mov $__NR_munmap, %eax
  syscall
  test %rax, %rax
  jnz 1f
  mov %rbx, %rdi
  mov %rbp, %rsi
  mov $__NR_munmap, %eax
  syscall
  test %rax, %rax
  jnz 1f
  mov $1, %edi                // SECCOMP_SET_MODE_FILTER
  xor %esi, %esi
  mov %r12, %rdx
  mov $__NR_seccomp, %eax
  syscall
  test %rax, %rax
  jnz 1f
  mov %r13, -8(%rsp)          // the entry; below the guest's stack pointer
  mov %r14, %rdi
  xor %eax, %eax
  xor %ebx, %ebx
  xor %ecx, %ecx
  xor %edx, %edx
  xor %esi, %esi
  xor %ebp, %ebp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
  cld
  jmp *-8(%rsp)

1: mov $2, %edi
  lea 2f(%rip), %rsi
  mov $3f - 2f, %edx
  mov $__NR_write, %eax
  syscall
  mov $1, %edi
  mov $__NR_exit_group, %eax
  syscall
  ud2
2: .ascii "fleet-spt: the kernel refused the guest's jail\n"
3:
  .balign 4096, 0xcc

  .section .note.GNU-stack, "", @progbits
