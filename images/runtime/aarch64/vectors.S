// The exception vectors: every one is fatal. All registers go to a frame (TrapFrame in traps.cc),
// then handle_exception(frame).

  .macro vector kind
  .balign 128
  msr tpidr_el1, x0
  mov x0, #\kind
  b fatal_exception
  .endm

  .text
  .balign 2048
  .globl exception_vectors
exception_vectors:
  .irp kind, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  vector \kind
  .endr

fatal_exception:
  msr tpidrro_el0, x0
  adrp x0, trap_frame
  add x0, x0, :lo12:trap_frame
  str x1, [x0, #8]
  stp x2, x3, [x0, #16]
  stp x4, x5, [x0, #32]
  stp x6, x7, [x0, #48]
  stp x8, x9, [x0, #64]
  stp x10, x11, [x0, #80]
  stp x12, x13, [x0, #96]
  stp x14, x15, [x0, #112]
  stp x16, x17, [x0, #128]
  stp x18, x19, [x0, #144]
  stp x20, x21, [x0, #160]
  stp x22, x23, [x0, #176]
  stp x24, x25, [x0, #192]
  stp x26, x27, [x0, #208]
  stp x28, x29, [x0, #224]
  str x30, [x0, #240]
  mrs x1, tpidr_el1
  str x1, [x0]
  mov x1, sp
  mrs x2, elr_el1
  mrs x3, spsr_el1
  mrs x4, esr_el1
  mrs x5, far_el1
  mrs x6, tpidrro_el0
  str x1, [x0, #248]
  stp x2, x3, [x0, #256]
  stp x4, x5, [x0, #272]
  str x6, [x0, #288]
  adrp x4, fault_stack_end    // the first stack may be what the fault is about
  add x4, x4, :lo12:fault_stack_end
  mov sp, x4
  bl handle_exception
1: b 1b

  .section .bss.fault_stack, "aw", %nobits
  .balign 16
  .skip 8192
fault_stack_end:

  .section .note.GNU-stack, "", %progbits
