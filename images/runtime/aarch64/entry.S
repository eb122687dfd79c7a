// The first instructions of a guest of a machine: from Linux's boot protocol for ARM64 (an Image,
// abi/arm64_image.h) to C++ code. In: EL1, MMU and caches off, x0 = address of the device tree.

  .section .head, "ax"
  b boot
  .long 0
  .quad 0x200000            // where it lies behind the beginning of memory: as image.ld says
  .quad image_bytes
  .quad 0x2                 // little-endian, pages of 4 KiB
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long 0
  // Whose image it is, for images/inspect; more notes follow (image.ld).
  .long 9, 4, 1             // name size, descriptor size, type
  .asciz "Unifleet"
  .balign 4
  .long 1                   // the config volume's version, abi/config_volume.h

  .text
boot:
  msr daifset, #15
  mov x20, x0
  // All memory from 1 to 4 GiB as it is, until aarch64/memory.cc says who may do what where.
  mov x1, #0xff04           // attribute 0: a device's memory; 1: cached
  msr mair_el1, x1
  ldr x1, =0x803520         // TCR: addresses of 32 bits, cached tables, pages of 4 KiB, TTBR0 alone
  msr tcr_el1, x1
  adrp x1, boot_map
  add x1, x1, :lo12:boot_map
  msr ttbr0_el1, x1
  dsb sy
  tlbi vmalle1
  ic iallu
  dsb sy
  isb
  ldr x1, =0x30d0180d       // SCTLR: MMU, caches, a misaligned stack faults
  msr sctlr_el1, x1
  isb

  adrp x1, bss_start
  adrp x2, bss_end
1: stp xzr, xzr, [x1], #16
  cmp x1, x2
  b.lo 1b
  adrp x1, stack_top
  mov sp, x1
  mov x29, xzr
  mov x30, xzr
  mov x0, x20
  bl machine_start
2: wfi
  b 2b

  .section .rodata
  .balign 64
boot_map:
  .quad 0                   // the devices come later
  .quad 0x40000f05          // a block of 1 GiB: cached, ours alone, of this map (not global)
  .quad 0x80000f05
  .quad 0xc0000f05

  .section .note.GNU-stack, "", %progbits
