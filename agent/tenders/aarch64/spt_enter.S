// In a page of its own, the only one of the tender that stays: unmap all else, load the filter,
// forget every register, jump. In: X0 = Enter (spt/enter.h).

#include <asm/unistd.h>

  .section .trampoline, "ax", %progbits
  .balign 65536               // the largest page that a host may have
  .globl spt_trampoline
  .hidden spt_trampoline
  .globl spt_enter
  .hidden spt_enter
spt_trampoline:
spt_enter:
  ldp x19, x20, [x0, #16]     // high_begin, high_size
  ldp x21, x22, [x0, #32]     // filter, entry
  ldp x23, x24, [x0, #48]     // stack, boot_info
  mov sp, x23
  ldp x0, x1, [x0]            // low_begin, low_size
  mov x8, #__NR_munmap
  svc #0
  cbnz x0, 1f
  mov x0, x19
  mov x1, x20
  mov x8, #__NR_munmap
  svc #0
  cbnz x0, 1f
  mov x0, #1                  // SECCOMP_SET_MODE_FILTER
  mov x1, #0
  mov x2, x21
  mov x8, #__NR_seccomp
  svc #0
  cbnz x0, 1f
  mov x16, x22                // the entry: scratch between two functions by the ABI
  mov x0, x24
  .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17,18,19,20,21,22,23,24,25,26,27,28,29,30
  mov x\n, #0
  .endr
  br x16

1: mov x0, #2
  adr x1, 2f
  mov x2, #(3f - 2f)
  mov x8, #__NR_write
  svc #0
  mov x0, #1
  mov x8, #__NR_exit_group
  svc #0
  brk #1
2: .ascii "fleet-spt: the kernel refused the guest's jail\n"
3:
  .balign 65536

  .section .note.GNU-stack, "", %progbits
