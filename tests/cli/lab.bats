#!/usr/bin/env bats
# trapmark lab: what it needs, and a small one.

load common

# Everything the lab boots is there, or fetched now; else the test is skipped with the reason.
need_lab() {
    local why
    why=$(timeout 120 "$BUILD/lab/fetch.sh" "$BUILD/lab" 2>&1) || skip "${why:-the packages took too long}"
}

@test "without a kernel image the lab says what to do and exits with 77" {
    run trapmark lab --no-fetch --dir "$PWD/none" --quick
    expect 77
    one_line
    says "make lab-deps"
}

@test "without QEMU the lab says so and exits with 77" {
    mkdir -p lab/root/boot lab/root/lib/modules/6.1
    touch lab/root/boot/vmlinuz-6.1
    run env PATH=/nonexistent "$BUILD/trapmark" lab --no-fetch --dir "$PWD/lab"
    expect 77
    one_line
    says "no qemu-system-x86_64"
}

@test "a kernel without its modules is named" {
    touch vmlinuz-6.1
    run trapmark lab --kernel vmlinuz-6.1 --qemu /bin/true
    expect 77
    one_line
    says "modules"
}

@test "wrong options of the lab are refused" {
    run trapmark lab --kernel no/such/vmlinuz
    expect 2
    one_line
    run trapmark lab --qemu no/such/qemu
    expect 2
    run trapmark lab -t nosuchbench --no-fetch
    expect 2
    says nosuchbench
    run trapmark lab -o .
    expect 2
    says "is a directory"
    run trapmark lab --limit 0
    expect 2
    run trapmark lab more
    expect 2
}

@test "an interrupted lab ends QEMU and says so" {
    need_lab
    printf '#!/bin/sh\ntouch started\nexec sleep 60\n' >qemu
    chmod +x qemu
    "$BUILD/trapmark" lab --qemu ./qemu -t in -o out.json 2> err &
    pid=$!
    until [ -e started ]; do
        kill -0 $pid
        sleep 0.05
    done
    child=$(pgrep -P $pid)
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    expect 130
    grep -q "trapmark lab: interrupted" err
    ! kill -0 "$child" || return 1
}

@test "a QEMU that ends early is a failure with its last word" {
    need_lab
    printf '#!/bin/sh\necho no such machine >&2\nexit 1\n' >qemu
    chmod +x qemu
    run trapmark lab --qemu qemu -t in -o out.json
    expect 1
    says "no such machine"
    [ ! -e out.json ]
}

@test "the lab stops at its limit" {
    need_lab
    run trapmark lab -t in --limit 1
    expect 1
    says "stopped after 1 seconds"
}

@test "exits of nested and of shadow paging are counted" {
    need_lab
    run trapmark lab -t syscall,in,cr3-write,trace-fault --limit 150 -o lab.json
    expect 0
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" lab.json
    [ "$(jq '[.runs[] | select(.status == "ok")] | length' lab.json)" = 8 ]
    [ "$(jq '[.runs[] | select(.times != "emulated")] | length' lab.json)" = 0 ]
    jq -r .host.kvm.label lab.json | grep -q 'emulated SVM (QEMU TCG)'
    # exits BENCH PAGING EVENT: rounded to a whole number of them per operation.
    exits() {
        jq ".runs[] | select(.bench == \"$1\" and .paging == \"$2\") | .events.\"$3\" // 0 | round" lab.json
    }
    for paging in nested shadow; do
        [ "$(exits in $paging exit.io)" = 1 ]
        [ "$(exits syscall $paging exit.total)" = 0 ]
    done
    [ "$(exits cr3-write nested exit.cr)" = 0 ]
    [ "$(exits cr3-write shadow exit.cr)" = 1 ]
    [ "$(exits trace-fault nested exit.total)" = 0 ]
    [ "$(exits trace-fault shadow exit.pf)" = 1 ]
    [ "$(exits trace-fault shadow fault.trace)" = 1 ]
    run trapmark report lab.json -o page
    expect 0
    says "Exits of KVM (kvm_amd: NPT or shadow paging, emulated SVM (QEMU TCG))"
    silent_about "ticks per operation"
    grep -q "Exits of KVM" page/report.html
}

@test "kvm counts exits by reason only when asked, or says why it can't" {
    available kvm || skip "no KVM"
    run trapmark run -b kvm --kvm-trace maybe -t rdtsc
    expect 2
    run trapmark run -b kvm --kvm-trace on -t rdtsc -n 2 --batch-us 200 -o r.json
    if [ "$status" = 0 ]; then
        [ "$(jq -r '.runs[0].times' r.json)" != null ]
    else
        expect 1
        [[ $(jq -r '.runs[0].reason' r.json) == *"VT-x or SVM"* || $(jq -r '.runs[0].reason' r.json) == *tracepoints* ]]
    fi
    run trapmark run -b kvm --kvm-trace off -t rdtsc -n 2 --batch-us 200 -o r.json
    expect 0
    [ "$(jq -r '.runs[0].times' r.json)" = null ]
}
