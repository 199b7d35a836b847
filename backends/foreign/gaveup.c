/* Recognizes a VMM that has stopped its guest for good but goes on living. */
#include "foreign.h"

#include <Zydis/Zydis.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSN_MAX 15

/* "<cc> 48 ff ..." into bytes; how many. */
static unsigned parse_bytes(const char *text, uint8_t bytes[INSN_MAX])
{
    unsigned count = 0;

    while (count < INSN_MAX) {
        char *end;
        unsigned long value;

        text += strspn(text, " <>");
        if (!isxdigit((unsigned char)*text))
            break;
        value = strtoul(text, &end, 16);
        if (end != text + 2)
            break;
        bytes[count++] = value;
        text = end;
    }
    return count;
}

/* QEMU pauses on an internal error of KVM and prints the registers, at last
 * "Code=" and the bytes around RIP, of which the first at RIP is in brackets.
 */
bool foreign_gave_up(const char *line, char why[REASON_MAX])
{
    ZydisDisassembledInstruction insn;
    uint8_t bytes[INSN_MAX];
    char hex[3 * INSN_MAX + 1] = "";
    const char *at;
    unsigned count;

    if (strncmp(line, "Code=", 5))
        return false;
    at = strchr(line, '<');
    count = at ? parse_bytes(at, bytes) : 0;
    if (!count || ZYAN_FAILED(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64,
                                                    0, bytes, count, &insn))) {
        snprintf(why, REASON_MAX,
                 "KVM cannot emulate an instruction; QEMU paused");
        return true;
    }
    for (unsigned i = 0; i < insn.info.length; i++)
        sprintf(hex + 3 * i, "%02x ", bytes[i]);
    hex[3 * insn.info.length - 1] = 0;
    snprintf(why, REASON_MAX, "KVM cannot emulate '%s' (%s); QEMU paused",
             insn.text, hex);
    return true;
}
