# The suite paging on every backend that runs a guest, with one value of each
# dial, and points of tradeoff's grid.

setup_file() {
    export BUILD=${BUILD:-$PWD/build} ALL=$BATS_FILE_TMPDIR/paging.json
    PATH=$BUILD:$PATH
    trapmark list --json > "$BATS_FILE_TMPDIR/list.json"
    BACKENDS=$(jq -r '[.backends[] | select(.available and
        (.name | IN("interp", "direct", "bt", "kvm", "qemu-tcg"))) | .name] |
        join(",")' "$BATS_FILE_TMPDIR/list.json")
    export BACKENDS
    local dials="-p pages=16 -p level=2 -p entries=16 -p kib=256 -p page=4,2048"
    # shellcheck disable=SC2086
    timeout 200 trapmark run -b "$BACKENDS" -s paging $dials -n 2 --batch-us 100 \
        --timeout 30 -o "$ALL" > "$BATS_FILE_TMPDIR/out" 2>&1 || true
    # shellcheck disable=SC2086
    timeout 60 trapmark run -b interp --deterministic -s paging $dials -n 2 \
        --batch-us 100 -o "$BATS_FILE_TMPDIR/exact.json" > /dev/null 2>&1 || true
}

setup() {
    PATH=$BUILD:$PATH
    EXACT=$BATS_FILE_TMPDIR/exact.json
}

@test "paging: every row is ok" {
    run jq -r '.runs[] | select(.status != "ok" and .backend != "kvm") |
        "\(.backend)/\(.bench): \(.status): \(.reason)"' "$ALL"
    [ -z "$output" ] || { echo "$output"; return 1; }
    for backend in interp direct bt; do
        [ "$(jq --arg b $backend '[.runs[] | select(.backend == $b) | .bench] |
            unique | length' "$ALL")" -ge 16 ]
    done
}

@test "paging: on kvm, what isn't ok says why" {
    run jq -r '.runs[] | select(.status != "ok" and .backend == "kvm" and
        (.reason | test("emulate|panic|#[A-Z]+|timer") | not)) |
        "\(.bench): \(.status): \(.reason)"' "$ALL"
    [ -z "$output" ] || { echo "$output"; return 1; }
}

# Benchmark, event, exact count an operation.
@test "paging: the interpreter counts what an operation is made of" {
    for row in hidden-fault:fault.true:0 true-fault:fault.true:1 \
               true-fault:exception.pf:1 pte-batch:ctx.switch:1 \
               cr3-touch:ctx.switch:1 ad-scan:ctx.switch:1 \
               invlpg-range:ctx.switch:0 cow-fault:fault.true:1 \
               perm-flip:guest.syscall:2 wx-flip:guest.syscall:2; do
        IFS=: read -r bench event count <<< "$row"
        run jq -r --arg b "$bench" --arg e "$event" --argjson n "$count" \
            '[.runs[] | select(.bench == $b)] | length > 0 and
            all((.events[$e] // 0) - $n | . > -0.01 and . < 0.01)' "$EXACT"
        [ "$output" = true ] || { echo "$row: $output"; return 1; }
    done
}

@test "paging: every page of a range is invalidated" {
    run jq -r '[.runs[] | select(.bench == "invlpg-range") |
        .events["exit.invlpg"] == (.params.pages | tonumber)] |
        length > 0 and all' "$EXACT"
    [ "$output" = true ]
}

@test "paging: a store to each table in use is a trace fault on direct" {
    jq -e '.runs[] | select(.backend == "direct" and .bench == "trace-fault") |
        .events["fault.trace"] > 0.99' "$ALL"
}

@test "tradeoff: the same checksum on all software backends and policies" {
    policies=$(jq -r '[.backends[].policies // [] | .[]] | unique | join(",")' \
        "$BATS_FILE_TMPDIR/list.json")
    timeout 100 trapmark run -b interp,direct,bt --paging "$policies" -s tradeoff -p updates=0,32 -p switches=4 -p touches=64 -n 2 \
        --batch-us 100 -o "$BATS_TEST_TMPDIR/t.json" > /dev/null 2>&1 || true
    run jq -r '.runs[] | select(.status |
        IN("ok", "skipped") | not) | "\(.backend) \(.paging) \(.params): \(.reason)"' \
        "$BATS_TEST_TMPDIR/t.json"
    [ -z "$output" ] || { echo "$output"; return 1; }
    [ "$(jq '[.runs[] | select(.status == "ok")] | length' \
        "$BATS_TEST_TMPDIR/t.json")" -ge 6 ]
    [ "$(jq '[.runs | group_by(.params.updates)[] | [.[].checksum // empty] |
        unique | length] == [1, 1]' "$BATS_TEST_TMPDIR/t.json")" = true ]
}

@test "a guest may have more RAM than the default, as a long chase needs" {
    run jq -r '.runs[].reason' <(trapmark run -b interp -t tlb-chase -p page=4 \
        -p kib=1048576 -n 1 --batch-us 10 -o - 2> /dev/null)
    [[ $output = *--ram* ]]
    timeout 60 trapmark run -b interp -t empty --ram 1536 -n 1 \
        -o "$BATS_TEST_TMPDIR/r.json"
}
