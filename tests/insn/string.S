/* Cases of string instructions: directions, overlaps, faults midway. */
#include "case.inc"

.irp dir, cld, std
.irp size, b, w, l, q
CASE "rep movs\size, \dir"
	\dir
	mov $20, %ecx
	mov $DATA + 1000, %esi
	mov $DATA + 2003, %edi
	rep movs\size
CASE "rep movs\size overlapping, \dir"
	\dir
	mov $30, %ecx
	mov $DATA + 1000, %esi
	mov $DATA + 1003, %edi
	rep movs\size
CASE "rep movs\size across a page, \dir"
	\dir
	mov $200, %ecx
	mov $DATA + 4090, %esi
	mov $DATA + 4000, %edi
	rep movs\size
CASE "rep stos\size, \dir"
	\dir
	mov $100, %ecx
	mov $DATA + 4001, %edi
	rep stos\size
CASE "rep lods\size, \dir"
	\dir
	mov $3, %ecx
	mov $DATA + 4001, %esi
	rep lods\size
CASE "repe cmps\size, \dir"
	\dir
	mov $DATA + 512, %esi
	mov $DATA + 1024, %edi
	movq $0, DATA + 504
	movq $0, DATA + 512
	movq $0, DATA + 1016
	movq $0, DATA + 1024
	mov $9, %ecx
	repe cmps\size
CASE "repne scas\size, \dir"
	\dir
	mov $DATA + 512, %edi
	mov DATA + 512, %rax
	mov $9, %ecx
	repne scas\size
CASE "repe scas\size, \dir"
	\dir
	mov $DATA + 512, %edi
	mov DATA + 512, %rax
	mov $9, %ecx
	repe scas\size
CASE "rep with a count of 0, \dir \size"
	\dir
	xor %ecx, %ecx
	xor %esi, %esi
	xor %edi, %edi
	stc
	rep movs\size
	rep stos\size
	rep lods\size
	repe cmps\size
	repne scas\size
CASE "rep movs\size into a read-only page, \dir", vector=PAGE, error=7
	mov $8000, %ecx
	mov $DATA + 4096, %esi
	mov $RO - 9, %edi
	cld
	rep movs\size
CASE "rep stos\size off the lower end, \dir", vector=PAGE, error=6
	std
	mov $8000, %ecx
	mov $DATA + 90, %edi
	rep stos\size
CASE "rep movs\size from an unmapped page, \dir", vector=PAGE, error=4
	cld
	mov $800, %ecx
	mov $END - 17, %esi
	mov $DATA, %edi
	rep movs\size
CASE "repe cmps\size stops at a fault with the flags of before, \dir", vector=PAGE, error=4
	cld
	mov $0x900000000, %rcx
	mov $END - 16, %esi
	mov $END - 16, %edi
	repe cmps\size
.endr
.endr
CASE "rep movsb with 32-bit addresses"
	cld
	movabs $0x700000003, %rcx
	movabs $0x500000000 + DATA, %rsi
	movabs $0x600000000 + DATA + 77, %rdi
	addr32 rep movsb
CASE "xlat"
	mov $DATA, %ebx
	mov $0x1280, %eax
	xlat

CASES_END
