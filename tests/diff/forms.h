/* Every encoding form of x86-64-v2 that a user program can run anywhere. */
#ifndef TM_DIFF_FORMS_H
#define TM_DIFF_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

enum form_class { FORM_INT, FORM_SSE, FORM_X87, FORM_CLASSES };

#define FORM_ANY 0xff /* of reg and rm: a free register number */

struct form {
    uint8_t prefix[2]; /* 0: none */
    bool rex_w;
    uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;
    bool modrm, mem;  /* ModRM is there; its rm is memory */
    uint8_t reg, rm;  /* 0..7 where they extend the opcode */
    uint8_t imm_size; /* bytes, moffs too */
    ZydisMnemonic mnemonic;
};

/* Forms of one mnemonic and class. */
struct form_group {
    const struct form *forms;
    unsigned count;
};

/* Built from the decoder on first use; they live on. Left out are branches, the
 * privileged, the ones that read the clock or the CPU's identity, and all that
 * moves RSP: generators have templates for those. */
unsigned form_groups(enum form_class class, const struct form_group **groups);

/* The process's decoder. */
const ZydisDecoder *form_decoder(void);

#endif
