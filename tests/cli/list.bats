# What can be learnt without measuring: list and doctor.

load common

@test "list shows backends and benchmarks" {
    run trapmark list
    expect 0
    for name in native interp kvm qemu-tcg qemu-kvm; do
        says "$name"
    done
    for name in syscall ptemod-np2p hlt-timer sort blkread-seq forkwait; do
        says "$name"
    done
    silent_about "selftest" # hidden
}

@test "list says why a backend isn't available" {
    PATH=$BUILD run trapmark list
    expect 0
    says "qemu-tcg is not available: "
    /bin/grep -Eq '^qemu-tcg +no ' <<<"$output"
}

@test "list --json is JSON with the same names" {
    trapmark list --json > list.json
    run jq -r '.benchmarks[] | select(.suite == "compute") | .name' list.json
    expect 0
    says "matmul"
    run jq -r '.backends[] | select(.available | not) | .reason' list.json
    expect 0
    silent_about "null"
}

@test "list without an image says where it looked" {
    cp "$BUILD/trapmark" .
    run ./trapmark list
    if [ "$status" -eq 0 ]; then
        skip "trapmark is installed: its image is found"
    fi
    expect 2
    says "no guest image in $PWD/guest or "
}

@test "doctor tells about CPU, KVM, PMU and primitives" {
    run trapmark doctor
    expect 0
    for word in CPU kernel TSC PMU KVM signal_round_trip mmap_page; do
        says "$word"
    done
}

@test "doctor never calls an emulated ring 0 hardware virtualization" {
    trapmark doctor --json > doctor.json
    run jq -r '.kvm | select(.ring0 == "emulated") | .label' doctor.json
    expect 0
    [ -n "$output" ] || skip "ring 0 isn't emulated here, or KVM is absent"
    says "emulated"
    silent_about "hardware"
    run trapmark doctor
    silent_about "ring 0 hardware"
}

@test "doctor --json has finite primitives" {
    trapmark doctor --json > doctor.json
    run jq -e '[.primitives[] | . > 0] | all and length >= 5' doctor.json
    expect 0
    run jq -e '.tsc_khz > 100000' doctor.json
    expect 0
}
