// One stub per vector: brings every cause into one shape (TrapFrame in traps.h) and calls
// handle_trap(). Integer registers only: nothing of ours uses others.

  .altmacro
  .macro stub vector
stub_\vector:
  .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
  .else
  push $0                   // the CPU gave no error code
  .endif
  push $\vector
  jmp save_registers
  .endm

  .macro stub_address vector
  .quad stub_\vector
  .endm

  .section .text
  .set i, 0
  .rept 64
  stub %i
  .set i, i + 1
  .endr

save_registers:
  push %rax
  push %rbx
  push %rcx
  push %rdx
  push %rsi
  push %rdi
  push %rbp
  push %r8
  push %r9
  push %r10
  push %r11
  push %r12
  push %r13
  push %r14
  push %r15
  cld
  mov %rsp, %rdi
  mov %rsp, %rbp
  and $-16, %rsp
  call handle_trap
  mov %rbp, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %r11
  pop %r10
  pop %r9
  pop %r8
  pop %rbp
  pop %rdi
  pop %rsi
  pop %rdx
  pop %rcx
  pop %rbx
  pop %rax
  add $16, %rsp
  iretq

  .globl spurious_interrupt
spurious_interrupt:
  iretq

  .section .rodata
  .balign 8
  .globl trap_stubs
trap_stubs:
  .set i, 0
  .rept 64
  stub_address %i
  .set i, i + 1
  .endr

  .section .note.GNU-stack, "", @progbits
