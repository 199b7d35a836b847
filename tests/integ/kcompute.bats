# The kcompute benchmarks: the same code as a process and in the guest's kernel.

setup_file() {
    export BUILD=${BUILD:-$PWD/build} ALL=$BATS_FILE_TMPDIR/kcompute.json
    PATH=$BUILD:$PATH
    timeout 200 trapmark run -s kcompute -n 2 --batch-us 200 --timeout 30 \
        -o "$ALL" > "$BATS_FILE_TMPDIR/out" 2>&1 || true
}

@test "kcompute: every row is ok" {
    run jq -r '.runs[] | select(.status != "ok") |
        "\(.backend)/\(.bench): \(.status): \(.reason)"' "$ALL"
    [ -z "$output" ] || { echo "$output"; return 1; }
    [ "$(jq '[.runs[] | select(.backend == "interp")] | length' "$ALL")" -eq 8 ]
    [ "$(jq '[.runs[] | select(.backend == "native")] | length' "$ALL")" -eq 8 ]
}

@test "kcompute: all backends compute what the process does" {
    run jq -r '[.runs[] | select(.status == "ok")] | group_by(.bench)[] |
        select(([.[].checksum] | unique | length) != 1) | .[0].bench' "$ALL"
    [ -z "$output" ] || { echo "$output"; return 1; }
}

@test "kcompute: the guest and the process run the same object code" {
    # descend() has no operand that linking changes.
    for file in guest/k/microbench/k-call.o native/k-call; do
        objdump -d --no-show-raw-insn "$BUILD/$file" |
            sed -n '/<descend>:$/,/^$/p' | sed 's/^[^:]*:\t//; s/ [0-9a-f]* <.*//' |
            tail -n +2 | head -n 18 > "$BATS_TEST_TMPDIR/$(basename "$file")"
    done
    [ -s "$BATS_TEST_TMPDIR/k-call" ]
    cmp "$BATS_TEST_TMPDIR/k-call" "$BATS_TEST_TMPDIR/k-call.o"
}
