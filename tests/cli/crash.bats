# A guest program that crashes: its row fails with the program, the exception and
# where it happened, whoever runs the guest.

load common

# The crash that `cause` brings about: vector, symbol of the instruction (or
# nothing), what else is told.
crashes() {
    cat << 'END'
0 #PF crash_read error 0x4 at RIP address 0x8 in crash
1 #PF crash_write error 0x7 at RIP address RIP in crash
2 #PF - error 0x15 at
3 #PF crash_supervisor at RIP address 0xffffe00000001000 in crash
4 #GP crash_canonical error 0x0 at RIP in crash
5 #GP crash_privileged error 0x0 at RIP in crash
6 #DE crash_divide error 0x0 at RIP in crash
7 #UD crash_undefined error 0x0 at RIP in crash
8 #UD crash_child error 0x0 at RIP in crash
END
}

@test "a crash is told with its program, exception and RIP, on every backend" {
    list=interp,direct,bt
    for b in kvm qemu-tcg; do
        available $b && list=$list,$b
    done
    run timeout 120 trapmark run -b $list -t crash -n 1 -o r.json
    expect 1
    nm "$BUILD/guest/bin/crash" > symbols
    while read -r cause vector symbol words; do
        rip=$(awk -v s="$symbol" '$3 == s { sub(/^0*/, "0x", $1); print $1 }' symbols)
        words=${words//RIP/$rip}
        jq -e --arg c "$cause" --arg v "$vector" --arg w "$words" \
            '[.runs[] | select(.params.cause == $c)] | length >= 3 and
            all(.status == "failed" and (.reason | contains($v)) and
                (.reason | contains($w)))' r.json || {
            jq -c --arg c "$cause" '.runs[] | select(.params.cause == $c) |
                [.backend, .status, .reason]' r.json
            echo "not: $vector $words"
            return 1
        }
    done < <(crashes)
    # The benchmark that outlived its child has words of its own.
    jq -e '[.runs[] | select(.params.cause == "8")] | all(.reason |
        startswith("the child failed; a process had crashed: #UD"))' r.json
}

@test "a database whose client dies in a transaction fails at once and says so" {
    run timeout 60 trapmark run -b interp,bt -t db-crash -n 1 --batch-us 100 \
        --timeout 50 -o r.json
    expect 1
    rip=$(nm "$BUILD/guest/bin/db-crash" |
        awk '$3 == "crash_client" { sub(/^0*/, "0x", $1); print $1 }')
    jq -e --arg rip "$rip" '.runs | length == 2 and all(.status == "failed" and
        (.reason | startswith("a client process died; a process had crashed: #UD")
            and contains($rip)))' r.json || {
        jq -c '.runs[] | [.backend, .status, .reason]' r.json
        return 1
    }
}
