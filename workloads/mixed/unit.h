/* The compiler that the workload compile runs: its two passes. */
#ifndef TM_UNIT_H
#define TM_UNIT_H

#include <stddef.h>
#include <stdint.h>

/* A source is so many words of the disk's pattern, beginning at block
 * UNIT_BLOCKS * unit; each word names a symbol. */
#define UNIT_BLOCKS 2
#define UNIT_WORDS (UNIT_BLOCKS * 512)
#define UNITS 8 /* sources that differ */

/* The first pass: looks each word's symbol up in a table that it makes at table
 * (UNIT_TABLE zeroed bytes) and gives an instruction for each. */
#define UNIT_TABLE (64 * 1024)
void unit_parse(const uint64_t *source, void *table, uint64_t *code);

/* The second pass: places the instructions in the object, at object
 * (UNIT_OBJECT zeroed bytes); the object's sum. */
#define UNIT_OBJECT (32 * 1024)
uint64_t unit_assemble(const uint64_t *code, void *object);

#endif
