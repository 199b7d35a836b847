# Every benchmark on every backend that this host has, with few samples; one run,
# looked at from several sides. A row may be skipped or fail only for a reason of
# the host's that is known here. The suites with dials and kcompute have their own.

setup_file() {
    export BUILD=${BUILD:-$PWD/build} ALL=$BATS_FILE_TMPDIR/all.json
    export SCHEMA=$BATS_TEST_DIRNAME/../../results/schema.json
    PATH=$BUILD:$PATH
    timeout 300 trapmark list --json > "$BATS_FILE_TMPDIR/list.json"
    suites=$(jq -r '[.benchmarks[] | select(.hidden | not) | .suite] | unique -
        ["kcompute", "paging", "tradeoff"] | join(",")' "$BATS_FILE_TMPDIR/list.json")
    timeout 500 trapmark run -s "$suites" -n 2 --batch-us 200 \
        --timeout 30 -o "$ALL" > "$BATS_FILE_TMPDIR/out" 2>&1 || true
}

setup() {
    PATH=$BUILD:$PATH
    LIST=$BATS_FILE_TMPDIR/list.json
}

# Rows of $1 (a jq condition) that aren't ok, one a line.
bad_rows() {
    jq -r ".runs[] | select(.status != \"ok\" and ($1)) |
        \"\(.backend)/\(.bench): \(.status): \(.reason)\"" "$ALL"
}

none() {
    [ -z "$1" ] && return
    printf '%s\n' "$1"
    return 1
}

@test "the result file validates" {
    "$BUILD/tests/validate" "$SCHEMA" "$ALL"
}

@test "there is a row for every benchmark on every available backend" {
    wanted=$(jq '([.benchmarks[] | select(.hidden or
        (.suite | IN("kcompute", "paging", "tradeoff")) | not)] | length) *
        ([.backends[] | select(.available)] | length)' "$LIST")
    [ "$(jq '.runs | length' "$ALL")" -eq "$wanted" ]
    [ "$wanted" -gt 0 ]
}

@test "native: what is built for it is ok, the rest needs a kernel" {
    names=$(jq -c '[.benchmarks[] | select(.native) | .name]' "$LIST")
    [ "$names" != "[]" ]
    none "$(bad_rows ".backend == \"native\" and
        (.bench as \$b | $names | index(\$b))")"
    none "$(jq -r ".runs[] | select(.backend == \"native\" and
        (.bench as \$b | $names | index(\$b) | not) and
        .status != \"skipped\") | .bench" "$ALL")"
}

@test "the software backends: every row is ok" {
    none "$(bad_rows '.backend | IN("interp", "direct", "bt")')"
    jq -e '.runs[] | select(.backend == "interp")' "$ALL" > /dev/null
}

@test "qemu-tcg: every row is ok, or refused by the guest" {
    jq -e '.backends[] | select(.name == "qemu-tcg") | .available' "$LIST" ||
        skip "$(jq -r '.backends[] | select(.name == "qemu-tcg") | .reason' "$LIST")"
    none "$(bad_rows '.backend == "qemu-tcg" and .status != "skipped"')"
}

@test "kvm and qemu-kvm: what isn't ok says why" {
    jq -e '.backends[] | select(.name == "kvm") | .available' "$LIST" ||
        skip "$(jq -r '.backends[] | select(.name == "kvm") | .reason' "$LIST")"
    # Where ring 0 is emulated, instructions may be missing and time short.
    if jq -e '.host.kvm.ring0 == "emulated"' "$ALL"; then
        none "$(bad_rows '(.backend | test("kvm")) and (.status == "failed") and
            (.reason | test("emulate|panic|#[A-Z]+|timer") | not)')"
        # But not everything may fail.
        [ "$(jq '[.runs[] | select(.backend == "kvm" and .status == "ok")] |
            length' "$ALL")" -ge 10 ]
    else
        none "$(bad_rows '.backend | test("kvm")')"
    fi
}

@test "checksums agree on all backends" {
    none "$(jq -r '[.runs[] | select(.checksum)] | group_by(.bench)[] |
        select([.[].checksum] | unique | length > 1) |
        map("\(.backend)/\(.bench): \(.checksum)")[]' "$ALL")"
    [ "$(jq '[.runs[] | select(.checksum)] | length' "$ALL")" -ge 3 ]
}

@test "workloads have checksums, microbenchmarks don't" {
    none "$(jq -r '.runs[] | select(.status == "ok" and
        ((.suite == "micro") == has("checksum"))) | .bench' "$ALL")"
}

@test "an exit-inducing operation exits once on interp" {
    for pair in in:exit.io out:exit.io cpuid:exit.cpuid cr8wr:exit.cr \
                rdtsc:exit.rdtsc cr8wr:cr.write8 mmio-read:exit.mmio invlpg:exit.invlpg; do
        jq -e --arg b "${pair%:*}" --arg e "${pair#*:}" '.runs[] |
            select(.backend == "interp" and .bench == $b) | .events[$e] |
            . > 0.99 and . < 1.01' "$ALL" > /dev/null || {
            echo "$pair is not one an operation"
            return 1
        }
    done
}

@test "kinds that only interp can count whole are absent elsewhere" {
    jq -e '.runs[] | select(.backend == "interp" and .bench == "hlt-timer") |
        .events["msr.apic"] > 0 and .events["msr.apicv"] > 0' "$ALL" > /dev/null
    none "$(jq -r '.runs[] | select(.backend != "interp" and
        (.events // {} | keys | any(test("^(cr|msr)\\.")))) |
        "\(.backend)/\(.bench)"' "$ALL")"
}

@test "two deterministic runs of interp have identical events and figures" {
    for n in 1 2; do
        timeout 250 trapmark run -b interp --deterministic -s micro,mixed -n 2 \
            --batch-us 100 -o "$BATS_TEST_TMPDIR/$n.json" > /dev/null 2>&1
        jq '[.runs[] | del(.wall_s, .perf, .event_ticks, .time_split)]' \
            "$BATS_TEST_TMPDIR/$n.json" > "$BATS_TEST_TMPDIR/$n.rows"
    done
    cmp "$BATS_TEST_TMPDIR"/[12].rows
    jq -e 'length >= 20 and all(.status == "ok" and .unit == "instructions")' \
        "$BATS_TEST_TMPDIR/1.rows"
}
