/* Start of a user program: RDI is the argument string. */
#include "guest/abi/abi.h"

    .text
    .globl _start
_start:
    xor %ebp, %ebp
    call user_start /* the kernel aligned the stack to 16 */

    .section .note.trapmark.abi, "a", @note
    .align 4
    .long 9, 4, TM_NOTE_ABI
    .asciz TM_NOTE_NAME
    .align 4
    .long TM_ABI_VERSION

    .section .note.GNU-stack, "", @progbits
