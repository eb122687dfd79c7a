// The first instructions of a Solo5 guest. In: x0 = address of the boot info. The tender's stack,
// at the end of memory, has nothing below it that faults: solo5/devices.cc has another.

  .text
  .globl solo5_entry
solo5_entry:
  adrp x1, stack_top
  add x1, x1, :lo12:stack_top
  mov sp, x1
  mov x29, xzr
  mov x30, xzr
  b solo5_start

  .section .note.GNU-stack, "", %progbits
