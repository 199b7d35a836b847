# The row whose operation is a guest's whole life.

load common

@test "boot: a sample a boot, nothing subtracted, events of the whole life" {
    run trapmark run -b interp,direct,bt -t boot -n 3 -o r.json
    expect 0
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    jq -e '.runs | length == 3 and all(.status == "ok" and .op == "boot" and
        .iterations == 1 and (.samples | length) == 3 and .control == [0, 0, 0]
        and (has("control_events") | not))' r.json
    # A kernel that came up, found its devices and ran processes.
    jq -e '.runs | all(.events | ."exit.io" > 100 and ."exit.mmio" > 10 and
        ."fault.true" > 50 and ."ctx.switch" >= 32 and
        ."guest.syscall" > 100)' r.json
    jq -e '[.runs[].checksum] | unique | length == 1' r.json
}

@test "boot: two deterministic boots are the same to the instruction" {
    run trapmark run -b interp -t boot -n 4 --deterministic -o r.json
    expect 0
    jq -e '.runs[0] | .unit == "instructions" and
        (.samples | length == 4 and (unique | length) == 1) and
        .ticks_per_op.median == .events."insn.retired" and
        .ticks_per_op.median > 1000000' r.json
}

@test "boot: VMMs that can't be seen into, and processes, have a reason" {
    run trapmark run -b native,qemu-tcg -t boot -n 2
    expect 77
    says "needs the guest kernel"
    available qemu-tcg || return 0
    says "only a machine of our own sees a guest's first instruction"
}
