# The guest kernel's test of itself: system calls, processes, memory, disk.

@test "the guest's self-test passes on every backend that runs a guest" {
    PATH=${BUILD:-$PWD/build}:$PATH
    backends=$(trapmark list --json | jq -r '[.backends[] | select(.available and
        (.name | IN("interp", "direct", "bt", "kvm", "qemu-tcg"))) | .name] |
        join(",")')
    timeout 100 trapmark run -b "$backends" -t selftest -n 1 --batch-us 100 \
        -o "$BATS_TEST_TMPDIR/r.json" || true
    # Where KVM emulates ring 0, it may not know an instruction.
    run jq -r '.runs[] | select(.status != "ok" and
        (.backend != "kvm" or (.reason | test("emulate") | not))) |
        "\(.backend): \(.status): \(.reason)"' "$BATS_TEST_TMPDIR/r.json"
    [ -z "$output" ] || { echo "$output"; return 1; }
    [ "$(jq '.runs | length' "$BATS_TEST_TMPDIR/r.json")" -ge 3 ]
}
