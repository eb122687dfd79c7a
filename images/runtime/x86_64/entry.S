// The first instructions of a guest: from PVH's 32-bit protected mode to 64-bit C++ code.
// In: EBX = address of the start info, paging and interrupts off, flat segments.

  .section .note.Xen, "a", @note
  .balign 4
  .long 4, 8, 18            // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .quad pvh_entry           // 8 bytes: QEMU reads a whole word of a 64-bit ELF
  // Whose image it is, for images/inspect; behind Xen's, which monitors look for first.
  .balign 4
  .long 9, 4, 1             // name size, descriptor size, type
  .asciz "Unifleet"
  .balign 4
  .long 1                   // the config volume's version, abi/config_volume.h

  .section .text.entry, "ax"
  .code32
  .globl pvh_entry
pvh_entry:
  cli
  cld
  // .bss: page tables and stack lie in it, so it must be clear before either is used.
  mov $bss_start, %edi
  mov $bss_end, %ecx
  sub %edi, %ecx
  shr $2, %ecx
  xor %eax, %eax
  rep stosl

  // The first 4 GiB as they are, in pages of 2 MiB; x86_64/memory.cc refines the image's own.
  mov $page_map_level4, %edi
  mov $page_directory_pointers, %eax
  or $3, %eax
  mov %eax, (%edi)
  mov $page_directory_pointers, %edi
  mov $page_directories, %eax
  or $3, %eax
  mov $4, %ecx
1: mov %eax, (%edi)
  add $8, %edi
  add $4096, %eax
  loop 1b
  mov $page_directories, %edi
  mov $0x83, %eax           // present, writable, 2 MiB
  mov $2048, %ecx
2: mov %eax, (%edi)
  add $8, %edi
  add $0x200000, %eax
  loop 2b

  mov %cr4, %eax
  or $0x20, %eax            // PAE
  mov %eax, %cr4
  mov $page_map_level4, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx     // EFER: long mode and no-execute pages
  rdmsr
  or $0x900, %eax
  wrmsr
  mov %cr0, %eax
  or $0x80010001, %eax      // paging, write protection also for us, protected mode
  mov %eax, %cr0
  lgdt boot_gdt_pointer
  ljmp $0x08, $long_mode

  .code64
long_mode:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  lea stack_top(%rip), %rsp
  xor %ebp, %ebp
  mov %ebx, %edi
  call machine_start
3: hlt
  jmp 3b

  .section .rodata
  .balign 8
boot_gdt:
  .quad 0
  .quad 0x00af9a000000ffff  // 0x08: 64-bit code
  .quad 0x00cf92000000ffff  // 0x10: data
boot_gdt_pointer:
  .word 23
  .long boot_gdt

  .section .note.GNU-stack, "", @progbits
