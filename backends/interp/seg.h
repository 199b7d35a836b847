/* Descriptors and segment registers. */
#ifndef TM_INTERP_SEG_H
#define TM_INTERP_SEG_H

#include "cpu.h"

/* All of these work with c->rip at the instruction (sync_before) and leave an
 * exception pending where they return false. */

/* The 8 bytes of the descriptor of sel; error: what a selector beyond its table
 * raises (VEC_GP, VEC_TS), ext is or-ed into the error code. */
bool seg_read_desc(struct icpu *c, uint16_t sel, uint64_t *desc,
                   unsigned vector, unsigned ext);
/* Set the accessed bit in the table, where it isn't. */
bool seg_mark_accessed(struct icpu *c, uint16_t sel, uint64_t *desc);
/* Fill a segment register's hidden part. */
void seg_set(struct x86_seg *s, uint16_t sel, uint64_t desc);
void seg_set_null(struct x86_seg *s, uint16_t sel);

/* MOV to, or POP of, a segment register other than CS. */
bool seg_load(struct icpu *c, unsigned sreg, uint16_t sel);

/* After IRET or RETF to an outer level: drop segments it may not use. */
void seg_drop_privileged(struct icpu *c);

/* Bits of a descriptor. */
#define DESC_TYPE(d) ((unsigned)((d) >> 40) & 15)
#define DESC_S(d) ((unsigned)((d) >> 44) & 1)
#define DESC_DPL(d) ((unsigned)((d) >> 45) & 3)
#define DESC_P(d) ((unsigned)((d) >> 47) & 1)
#define DESC_L(d) ((unsigned)((d) >> 53) & 1)
#define DESC_DB(d) ((unsigned)((d) >> 54) & 1)
#define TYPE_CODE 8u
#define TYPE_CONFORMING 4u
#define TYPE_RW 2u
#define TYPE_ACCESSED 1u

#endif
