# The guest kernel's test of itself: system calls, processes, memory, disk.

@test "the guest's self-test passes on the interpreter and the translator" {
    PATH=${BUILD:-$PWD/build}:$PATH
    timeout 100 trapmark run -b interp,bt -t selftest -n 1 --batch-us 100 \
        -o "$BATS_TEST_TMPDIR/r.json"
    jq -e '[.runs[].status] == ["ok", "ok"]' "$BATS_TEST_TMPDIR/r.json"
}
