// The first instructions of a Solo5 guest. In: RDI = address of the boot info. The tender's stack,
// at the end of memory, has nothing below it that faults: solo5/devices.cc has another.

  .text
  .globl solo5_entry
solo5_entry:
  lea stack_top(%rip), %rsp
  xor %ebp, %ebp
  call solo5_start
  ud2

  .section .note.GNU-stack, "", @progbits
