// The exception vectors of an hvt guest: every one is fatal. handle_exception(kind, ESR, ELR, FAR).

  .macro vector kind
  .balign 128
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
  mrs x1, esr_el1
  mrs x2, elr_el1
  mrs x3, far_el1
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
