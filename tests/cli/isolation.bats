# Guests that misbehave cost their row, never the run.

load common

# Every in-house backend and one foreign VMM, as far as they are here.
backends() {
    for b in interp direct bt kvm qemu-tcg; do
        available $b && echo $b
    done
}

@test "a spinning guest times out, and what it was doing is said" {
    for b in $(backends); do
        run bad_guest $b spin
        expect 1
        says "timeout  $b: spin"
        says "no result for 3 s while booting; killed"
    done
}

@test "a mute guest times out" {
    for b in $(backends); do
        run bad_guest $b mute
        expect 1
        says "no output for 3 s; killed"
    done
}

@test "a flooding guest is stopped long before its time is up" {
    for b in $(backends); do
        SECONDS=0
        run bad_guest $b flood --timeout 60
        expect 1
        says "flooded its serial port"
        [ $SECONDS -lt 30 ]
    done
}

@test "a guest that triple-faults fails with a reason" {
    for b in interp direct bt qemu-tcg; do
        available $b || continue
        run bad_guest $b triple
        expect 1
        says "failed   $b: triple"
        says "triple fault"
    done
    available kvm || return 0
    # Where ring 0 is emulated, KVM may not get as far as the fault.
    run bad_guest kvm triple
    expect 1
    [[ $output == *"triple fault"* || $output == *"cannot emulate"* ]]
}

@test "a guest that ends without a result fails" {
    for b in $(backends); do
        run bad_guest $b silent
        expect 1
        says "ended without a result"
    done
}

@test "a garbled result line fails and says what is wrong with it" {
    for b in $(backends); do
        run bad_guest $b garbled
        expect 1
        says "malformed report line"
    done
}

@test "a guest's panic is passed on" {
    for b in $(backends); do
        run bad_guest $b panic
        expect 1
        says "guest panic: out of cheese"
    done
}

@test "the others finish when one row fails" {
    run bad_guest interp,native spin -t spin,sort -n 2 \
        --batch-us 200 -o r.json
    expect 1
    jq -e '.runs | map(select(.bench == "spin" and .backend != "native")) |
        all(.status == "timeout") and length > 0' r.json
    jq -e '.runs[] | select(.bench == "sort" and .backend == "native") |
        .status == "ok"' r.json
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
}

# The field of the runner's status file, in hexadecimal.
status_of() {
    awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status" 2> /dev/null
}

# The process that a run measures in, once it has taken over the faults.
runner_of() {
    local child=
    until [ -n "$child" ] && (( 0x$(status_of "$child" SigCgt) & 0x400 )); do
        kill -0 "$1" || return 1
        sleep 0.01
        child=$(pgrep -P "$1")
    done 2> /dev/null
    echo "$child"
}

@test "a host signal in a native runner costs its row, with a report" {
    for b in direct bt; do
        available $b || skip "$b can't run here"
        for sig in SEGV BUS; do
            trapmark run -b $b,native -t sort -n 2 --batch-us 300000 -v \
                -o r.json > out 2>&1 &
            pid=$!
            child=$(runner_of $pid)
            [ "$(status_of "$child" Seccomp)" = 2 ]
            sleep 0.1
            kill -$sig "$child"
            status=0
            wait $pid || status=$?
            expect 1
            jq -e --arg b $b --arg s SIG$sig '.runs[] |
                select(.backend == $b) | .status == "failed" and
                (.reason | contains("its process died of signal") and
                contains($s) and contains("sent by process") and
                contains("guest rip 0x"))' r.json
            jq -e '.runs[] | select(.backend == "native") |
                .status == "ok"' r.json
            # All of it is in the log.
            grep -Eq "$b/sort: SIG$sig in (guest code|the VMM) at 0x.*; last" out
            "$BUILD/tests/validate" \
                "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
        done
    done
}
