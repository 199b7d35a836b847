/* The result file: its member names, how it is read and how it is written. */
#ifndef TM_RESULTFILE_H
#define TM_RESULTFILE_H

#include "../backends/backend.h"

#include <jansson.h>

#define RESULT_SCHEMA "trapmark-results/1"

/* Every member name of the file, so that writer, reader and report agree.
 * results/schema.json describes the same shape. A number that wasn't measured
 * is an absent member, never 0, NaN or null. */

/* Top level */
#define RF_SCHEMA "schema"
#define RF_TOOL "tool"
#define RF_HOST "host"
#define RF_CONFIG "config"
#define RF_RUNS "runs"
#define RF_WARNINGS "warnings"

/* tool */
#define RF_NAME "name"
#define RF_VERSION "version"

/* host */
#define RF_CPU "cpu"               /* object, see below */
#define RF_KERNEL "kernel"         /* uname -r */
#define RF_HYPERVISOR "hypervisor" /* CPUID signature; absent on bare metal */
#define RF_CORES "cores"
#define RF_MEMORY_MIB "memory_mib"
#define RF_TSC_KHZ "tsc_khz"
#define RF_GOVERNOR "governor" /* absent where cpufreq has none */
#define RF_SMT "smt"           /* "on" "off" "notsupported" ...; or absent */
#define RF_KVM "kvm"
#define RF_PMU "pmu"
#define RF_PRIMITIVES                                                          \
    "primitives" /* {name: median ticks}: syscall,          \
                    signal_round_trip, mmap_page, mprotect, \
                    pipe_round_trip, kvm_exit */

/* host.cpu */
#define RF_VENDOR "vendor"
#define RF_MODEL "model" /* the name string */
#define RF_FAMILY "family"
#define RF_MODEL_ID "model_id"
#define RF_STEPPING "stepping"
#define RF_FLAGS "flags" /* those of /proc/cpuinfo that bear on VMMs */

/* host.kvm and host.pmu. reason is there when available is false. */
#define RF_AVAILABLE "available"
#define RF_REASON "reason"
#define RF_MODULE "module"
#define RF_PAGING "paging"
#define RF_OPTIONS "options" /* of backends: "key=value,value key=value" */
#define RF_RING0 "ring0"     /* hardware emulated unknown */
#define RF_RING0_RATIO "ring0_ratio" /* ring-0 loop / ring-3 loop */
#define RF_LABEL "label"             /* what tables and plots call this KVM */

/* config */
#define RF_BACKENDS "backends"     /* names, in table order */
#define RF_BENCHMARKS "benchmarks" /* names, in table order */
#define RF_SUITES "suites"         /* as asked for; empty with -t alone */
#define RF_SAMPLES "samples"       /* config: how many; run: raw ticks */
#define RF_BATCH_US "batch_us"
#define RF_ROUNDS "rounds"
#define RF_DETERMINISTIC "deterministic"
#define RF_SEED "seed"
#define RF_RAM_MIB "ram_mib"
#define RF_GUEST_ID "guest_id"       /* 16 hex digits over kernel and initrd */
#define RF_COMMAND "command"         /* the command line, one string */
#define RF_INTERRUPTED "interrupted" /* true: stopped before the last row */

/* runs[] */
#define RF_SUITE "suite"
#define RF_BENCH "bench"
#define RF_OP "op" /* what one operation is */
#define RF_BACKEND "backend"
#define RF_PARAMS                                                              \
    "params" /* run: point of the grid and options of the backend; config: \
                dials with the values asked for, as RF_OPTIONS */
#define RF_STATUS "status"         /* ok skipped failed timeout */
#define RF_UNIT "unit"             /* ticks; instructions when deterministic */
#define RF_ITERATIONS "iterations" /* operations in a batch */
#define RF_TICKS_PER_OP "ticks_per_op" /* (sample - control) / iterations */
#define RF_MEDIAN "median"
#define RF_MAD "mad"
#define RF_MIN "min"
#define RF_CI95 "ci95"   /* [low, high] of the median */
#define RF_MODES "modes" /* more than one: positions of the modes */
/* median of control / iterations */
#define RF_CONTROL_PER_OP "control_per_op"
#define RF_NS_PER_OP "ns_per_op" /* absent when deterministic */
#define RF_CONTROL "control"     /* raw ticks, as samples */
#define RF_EVENTS "events"       /* {event: count per op, control removed} */
#define RF_CONTROL_EVENTS "control_events" /* what was removed */
#define RF_EVENT_TICKS "event_ticks"       /* {event: VMM ticks per op} */
#define RF_TIME_SPLIT "time_split"         /* ticks per op, control included */
#define RF_GUEST                                                               \
    "guest"            /* inside the backend's run loop; for kvm \
                          that includes KVM's work in the kernel */
#define RF_VMM "vmm"   /* in the VMM's event handlers */
#define RF_PERF "perf" /* {scope, counts} */
#define RF_SCOPE                                                               \
    "scope"                    /* "op": counts per operation, kernel batches; \
                                  "process": totals of the whole process */
#define RF_COUNTS "counts"     /* {perf event name: number} */
#define RF_CHECKSUM "checksum" /* 16 hex digits */
#define RF_NOISY "noisy"
/* why its ticks compare with nothing: "emulated", the host's processor is
 * software; "traced", counting made each exit slower. Absent: they do compare */
#define RF_TIMES "times"
#define RF_WALL_S "wall_s" /* all rounds together, start-up included */

/* warnings[]: text always; the others where they apply */
#define RF_TEXT "text"
#define RF_ADVICE "advice"

#define RF_STATUS_OK "ok"
#define RF_STATUS_SKIPPED "skipped"
#define RF_STATUS_FAILED "failed"
#define RF_STATUS_TIMEOUT "timeout"
#define RF_TIMES_EMULATED "emulated"
#define RF_TIMES_TRACED "traced"
#define RF_UNIT_TICKS "ticks"
#define RF_UNIT_INSTRUCTIONS "instructions"

/* A new file with tool, and empty host, config, runs and warnings. The caller
 * owns the reference. */
json_t *result_new(void);

/* Reads and checks a file: JSON, schema id, and that the members every reader
 * leans on have their types (runs and warnings are arrays of objects, each run
 * has bench, suite, backend and status, anything but ok has a reason).
 * Control characters in its texts become '?', since these go to terminals.
 * NULL: why is one line that names the file and, for JSON errors, the line and
 * column. */
json_t *result_load(const char *path, char why[REASON_MAX]);

/* Writes through a temporary file in the same directory, fsync and rename, so
 * that path holds the old content or the new. "-" and anything that isn't a
 * regular file are written in place. 0 or negative errno with why. */
int result_save(const json_t *file, const char *path, char why[REASON_MAX]);

/* Set a member to a number, unless it isn't finite: then it stays absent. */
void result_set_real(json_t *object, const char *name, double value);
/* Set a member to a string, unless it is NULL or empty. Bytes that aren't
 * UTF-8, and control characters, become '?'. */
void result_set_text(json_t *object, const char *name, const char *value);

/* Appends to warnings what isn't among them; advice, bench and backend may be
 * NULL. */
void result_warn(json_t *file, const char *text, const char *advice,
                 const char *bench, const char *backend);

/* Members that may be absent. */
const char *result_text(const json_t *object, const char *name); /* or NULL */
/* False: absent or not a number. */
bool result_real(const json_t *object, const char *name, double *value);

#endif
