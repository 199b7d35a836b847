/* The contract between guest and host: ports, notes, command line, report lines. */
#ifndef TM_ABI_H
#define TM_ABI_H

/* Included by the guest (freestanding), the host tools and assembly. */
#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* Bumped whenever anything in this file changes meaning. The host refuses a
 * guest ELF whose ABI note carries another number. */
#define TM_ABI_VERSION 2

/* ---- Physical layout ------------------------------------------------- */

/* The kernel's ELF segments are linked and loaded here (p_paddr). */
#define TM_KERNEL_PHYS 0x100000

/* Virtual layout, "high" (default). The kernel image is a static PIE and is
 * relocated by its own entry code to KERNEL_VIRT + (phys - TM_KERNEL_PHYS);
 * all of RAM appears at DIRECT_VIRT, device memory at MMIO_VIRT + gpa (for
 * gpa in [0xf0000000, 4 GiB)). User programs live in [64 KiB, USER_END).
 *
 * "layout=low" adds TM_LAYOUT_DELTA (mod 2^64) to the three kernel bases, so
 * that a kernel which itself runs at host CPL 3 fits in the low half
 * (backend direct). The same delta is bt's kernel view. */
#define TM_KERNEL_VIRT 0xffffffff80000000
#define TM_DIRECT_VIRT 0xffffe00000000000
#define TM_MMIO_VIRT 0xfffff00000000000
#define TM_USER_START 0x0000000000010000
#define TM_USER_END 0x0000100000000000
#define TM_LAYOUT_DELTA 0x0000400000000000

/* ---- The machine: the QEMU microvm subset ----------------------------- */

#define TM_COM1_PORT 0x3f8
#define TM_COM1_IRQ 4
#define TM_LAPIC_GPA 0xfee00000
#define TM_IOAPIC_GPA 0xfec00000
#define TM_VIRTIO_GPA 0xfeb00000 /* slot n at + n * TM_VIRTIO_STEP */
#define TM_VIRTIO_STEP 0x200
#define TM_VIRTIO_SLOTS 8      /* an empty slot reads magic and device ID 0 */
#define TM_VIRTIO_IRQ 5        /* slot n interrupts on IOAPIC pin 5 + n */
#define TM_VIRTIO_BENCH_SLOT 7 /* always empty: target of mmio-read/-write */

/* isa-debug-exit: a byte written here ends the VM. */
#define TM_PORT_EXIT 0xf4
#define TM_EXIT_OK 0x10    /* QEMU's status: (v << 1) | 1 = 33 */
#define TM_EXIT_PANIC 0x11 /* 35 */

/* POST diagnostic port: what the paper's `in` reads. */
#define TM_PORT_POST 0x80

/* Doorbell: a 32-bit OUT of one of the values below tells the VMM that a
 * measured region begins or ends, so that it can snapshot its counters. It is
 * rung outside the guest's own rdtsc pair. Foreign VMMs ignore the port. The
 * exit that the doorbell itself causes belongs to no region. */
#define TM_PORT_DOORBELL 0x5f0
#define TM_DB_KERNEL_BEGIN 1
#define TM_DB_KERNEL_END 2
#define TM_DB_CONTROL_BEGIN 3
#define TM_DB_CONTROL_END 4

/* Hypercall number (rax) that every VMM rejects quickly. */
#define TM_HYPERCALL_NOP 0x746d

/* ---- Boot -------------------------------------------------------------
 *
 * Both entries take the physical address of a PVH `struct hvm_start_info`
 * (version >= 1: command line, modules, memory map); module 0 is the initrd.
 *
 *   PVH      XEN_ELFNOTE_PHYS32_ENTRY; EBX = start_info; state as PVH says.
 *   direct   e_entry; RSI = start_info; long mode, paging on with at least the
 *            first 4 GiB identity-mapped (present, writable, executable), flat
 *            64-bit CS and data segments in a GDT the guest must not rely on,
 *            IF = 0. RSP is undefined.
 */
#define TM_PVH_MAGIC 0x336ec578

/* ---- Command line -----------------------------------------------------
 *
 * Space-separated key=value. Unknown keys are ignored (VMMs add their own).
 *
 *   bench=A,B       benchmarks to run, in order (default: none, boot and halt)
 *   samples=N       batches of kernel and of control (default 10)
 *   batch_us=N      least duration of a batch (default 1000)
 *   iters=N         fixed iterations a batch: no calibration
 *   tsc_khz=N       TSC frequency; without it the guest measures it
 *   layout=high|low see above
 *   seed=N          for whatever is random (default 1)
 *   audit_from=N    bench=audit: the first test to make (default 0)
 *   param.NAME=N    a dial of a benchmark whose note has a grid
 *   virtio_mmio.device=512@0xfeb00000:5   QEMU's; repeated; ignored
 */

/* ---- Report lines -----------------------------------------------------
 *
 * COM1 (or a native workload's stdout) carries one JSON object a line; lines
 * that don't start with {"tm": are other people's and are ignored.
 *
 *   {"tm":"hello","abi":1,"boot":"direct|pvh|native","tsc_khz":N}
 *   {"tm":"start","bench":"NAME"}
 *   {"tm":"result","bench":"NAME","status":"ok","iterations":N,
 *    "samples":[ticks of each kernel batch],"control":[ticks, same length],
 *    "checksum":"16 hex digits"}                    checksum: workloads only
 *   {"tm":"result","bench":"NAME","status":"skipped|failed","reason":"TEXT"}
 *   {"tm":"crash","reason":"TEXT"}                  an exception ended a process
 *                                 that isn't the benchmark's own; it may want that
 *   {"tm":"panic","reason":"TEXT"}                  then TM_EXIT_PANIC
 *   {"tm":"bye"}                                    then TM_EXIT_OK
 *
 * bench=audit also writes two lines for each test, the second unless the test
 * ended the VM. want_vector and vector: the exception that the manual demands,
 * and the one that came; -1: none. want and got: what was to be seen, and what
 * was. problem: why the test couldn't be made.
 *
 *   {"tm":"audit","step":"begin","index":N,"insn":"TEXT",
 *    "group":"classic|modern","ring":0|3}
 *   {"tm":"audit","step":"end","index":N,"want_vector":N,"vector":N,
 *    "want":"TEXT","got":"TEXT"}
 *   {"tm":"audit","step":"end","index":N,"problem":"TEXT"}
 *
 * Ticks are TSC ticks of the whole batch of N iterations. A sample and the
 * control of the same index were taken one after the other.
 */

/* ---- ELF notes --------------------------------------------------------
 *
 * Name "Trapmark"; one TM_NOTE_ABI in the kernel and in each user program;
 * one TM_NOTE_BENCH per benchmark, in the file that implements it.
 */
#define TM_NOTE_NAME "Trapmark"
#define TM_NOTE_ABI 1   /* desc: uint32_t TM_ABI_VERSION */
#define TM_NOTE_BENCH 2 /* desc: struct tm_note_bench */

#ifndef __ASSEMBLER__
/* What `trapmark list` shows without a boot. All strings NUL-terminated. */
struct tm_note_bench {
    char name[24];     /* [a-z0-9-]+ */
    char suite[12];    /* micro kcompute paging tradeoff compute io mixed */
    char op[32];       /* what one operation is: "system call", "4 KiB read" */
    char summary[124]; /* one line */
    uint32_t flags;    /* TM_BENCH_* */
    uint32_t reserved; /* 0 */
    /* "" or the benchmark's dials and the values that a run goes through:
     * "updates=0,16,256 switches=0,4". The host makes a row of each point of
     * the grid and passes it as param.updates=16 param.switches=4. */
    char grid[120];
};
_Static_assert(sizeof(struct tm_note_bench) == 320, "note layout is ABI");
#endif

#define TM_BENCH_NEEDS_DISK 1u /* uses virtio-blk slot 0 */
#define TM_BENCH_NATIVE 2u     /* also built as a native process */
#define TM_BENCH_PAPER 4u      /* one of Adams & Agesen's nanobenchmarks */
#define TM_BENCH_HIDDEN 8u     /* self-test; not part of a suite run */
/* One operation is a guest's whole life, from the first instruction to
 * power-off: the host measures it, and the guest's own samples count nothing. */
#define TM_BENCH_WHOLE_LIFE 16u

/* ---- Disk -------------------------------------------------------------
 *
 * Workloads expect a disk of at least TM_DISK_MIN bytes whose 4 KiB block b
 * holds, as little-endian 64-bit words w = 0..511, tm_disk_word(b, w).
 */
#define TM_DISK_MIN (16u << 20)
#ifndef __ASSEMBLER__
static inline uint64_t tm_disk_word(uint64_t block, uint64_t word)
{
    uint64_t x = block * 512 + word + 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull; /* splitmix64 */
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}
#endif

/* ---- Initrd -----------------------------------------------------------
 *
 * A cpio archive, format newc, whose file data begin on 4 KiB boundaries (file
 * names are padded with NULs to get there), so the kernel can map them. A user
 * program NAME is the member bin/NAME: a static ELF64 (ET_EXEC, or static PIE
 * without an interpreter) that runs below TM_USER_END.
 */

#endif
