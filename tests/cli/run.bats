# Measuring: result files, journals, resuming, interruption, bad outputs.

load common

@test "a run prints tables and writes a valid file" {
    run quick -o r.json
    expect 0
    says "compute: TSC ticks per operation"
    says "compute: times native"
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    [ ! -e r.json.journal ]
    [ -z "$(ls tmp)" ]
}

@test "every sample is kept, and the medians follow from them" {
    quick -o r.json > /dev/null 2>&1
    run jq -r '.runs[] | select(.bench == "sort") |
        [range(.samples | length) as $i |
            (.samples[$i] - .control[$i]) / .iterations] | sort |
        (.[1] + .[2]) / 2' r.json
    expect 0
    wanted=$output
    run jq -r '.runs[] | select(.bench == "sort") | .ticks_per_op.median' r.json
    awk "BEGIN { d = $wanted / $output; exit !(d > 0.999999 && d < 1.000001) }"
    run jq -e '[.runs[].samples | length] == [4, 4]' r.json
    expect 0
}

@test "rounds share the samples out" {
    run trapmark run -b native -t sort,sha256 -n 8 --rounds 3 --batch-us 100 -o r.json
    expect 0
    jq -e '[.runs[].rounds] == [[3, 3, 2], [3, 3, 2]] and .config.rounds == 3 and
        ([.runs[].samples | length] | unique) == [8]' r.json
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    run trapmark run -b native -t sort -n 2 --rounds 3
    expect 2
    one_line
    says "3 rounds need at least as many --samples, not 2"
}

@test "without a terminal progress is a line a row" {
    quick > /dev/null 2> err
    [ "$(grep -c '^ok ' err)" -eq 2 ]
    run cat err
    silent_about $'\r'
}

@test "with a terminal progress is one line that goes away" {
    command -v script > /dev/null || skip "no script(1) to make a terminal"
    run script -qec "trapmark run -b native -t sort,sha256 -n 4 --batch-us 200" /dev/null
    expect 0
    says $'\r'
    says "[2/4]"
    says " left"
    silent_about "ok       sort"
}

@test "-o - writes the file to standard output, tables elsewhere" {
    quick -o - 2> err | jq -e '.runs | length == 2'
    grep -q "TSC ticks per operation" err
    # A reader that goes away leaves nothing behind either.
    quick -o - 2> /dev/null | head -c 1 > /dev/null || true
    [ -z "$(ls tmp)" ]
}

@test "missing directories of the output are made" {
    run quick -o a/b/r.json
    expect 0
    [ -s a/b/r.json ]
}

@test "what native can't run is skipped with a reason; nothing ran: 77" {
    run trapmark run -b native -t syscall -o r.json
    expect 77
    says "needs the guest kernel"
    jq -e '.runs[0].status == "skipped" and (.runs[0].samples | not)' r.json
}

@test "a backend without deterministic mode is skipped there" {
    run trapmark run -b native -t sort --deterministic
    expect 77
    says "has no deterministic mode"
}

@test "a missing QEMU is a reason, not a failure" {
    PATH=$BUILD run trapmark run -b qemu-tcg -t empty
    expect 77
    says "skipped  qemu-tcg"
}

@test "bad guests are refused before anything runs" {
    head -c 100 "$BUILD/guest/kernel.elf" > short.elf
    head -c 50000 "$BUILD/guest/kernel.elf" > cut.elf
    echo "not a kernel" > text.elf
    mkfifo fifo
    for wrong in short.elf cut.elf text.elf /nonexistent $PWD fifo /dev/zero; do
        run timeout 10 trapmark run -b native -t sort --guest $wrong
        expect 2
        one_line
        says "$wrong"
    done
    run trapmark run --guest "$GUESTS/newer.elf"
    expect 2
    one_line
    says "ABI version 99"
    run trapmark run -t sort --initrd text.elf
    expect 2
    one_line
    says "not a newc cpio archive"
}

@test "bad disk images are refused before anything runs" {
    refused() { # FILE REASON
        run timeout 10 trapmark run -b native -t sort --disk "$1"
        expect 2
        one_line
        says "--disk $1: "
        says "$2"
    }
    head -c 1000000 /dev/zero > small.img
    truncate -s 16M fixed.img good.img
    chmod a-w fixed.img
    mkfifo fifo
    ln -s nowhere dangling
    refused /nonexistent "No such file"
    refused dangling "No such file"
    refused small.img "holds 976 KiB; at least 16 MiB"
    refused fixed.img "is read-only"
    refused . "not a regular file"
    refused fifo "not a regular file"
    refused /dev/zero "not a regular file"
    run trapmark run -b native -t sort -n 2 --batch-us 200 --disk good.img
    expect 0
}

@test "any disk image will do, and is filled anew for each row" {
    truncate -s 20M disk.img
    for _ in 1 2; do
        run trapmark run -b interp -t blkread-rand,blkwrite-seq -n 3 \
            --batch-us 100 --disk disk.img
        expect 0
        says "ok       blkread-rand"
        says "ok       blkwrite-seq"
    done
    [ "$(stat -c %s disk.img)" -eq $((20 << 20)) ]
}

@test "an output that never can be is refused before anything runs" {
    mkdir dir
    touch file
    for o in "" dir file/r.json; do
        run quick -o "$o"
        expect 2
        one_line
        says "--output "
    done
}

@test "two runs don't write the same file" {
    trapmark run -b native -t sort -n 100 --batch-us 100000 -o r.json \
        > /dev/null 2>&1 &
    pid=$!
    until [ -s r.json.journal ]; do
        kill -0 $pid
        sleep 0.05
    done
    for resume in "" --resume; do
        run trapmark run -b native -t sort -n 100 --batch-us 100000 \
            -o r.json $resume
        expect 2
        one_line
        says "r.json.journal: another run is writing it; give -o another name"
    done
    kill -TERM $pid
    wait $pid || true
    run quick -o r.json
    expect 0
}

@test "who reads the tables may go away: the file is written" {
    run bash -c 'set -o pipefail
        trapmark run -b native -t sort -n 4 --batch-us 200 -o r.json | true'
    expect 1
    says "standard output: "
    jq -e '.runs[0].status == "ok"' r.json
    [ ! -e r.json.journal ]
}

@test "a limit on file sizes is an error like a full disk" {
    run bash -c 'ulimit -f 1
        trapmark run -b native -t sort,sha256 -n 100 --batch-us 100 -o r.json'
    expect 1
    says "File too large"
}

@test "closed standard streams: nothing else is written to them" {
    run bash -c 'trapmark run -b native -t sort,sha256 -n 4 --batch-us 200 \
        -o r.json <&- >&- 2>&-'
    expect 1
    jq -e '.runs | length == 2' r.json
    [ ! -e r.json.journal ]
}

@test "too few file descriptors: the rows say so" {
    run bash -c 'ulimit -n 30
        trapmark run -b native,interp -t sort -n 4 --batch-us 200'
    expect 1
    says "no file descriptor beyond 64"
    says "raise ulimit -n"
}

@test "the output's disk is full: exit 1, the journal is named and resumes" {
    run quick -o /dev/full
    expect 1
    says "/dev/full: No space left on device"
    says "the finished rows are in $PWD/tmp/trapmark-"
    [ "$(cat tmp/*.journal | wc -l)" -eq 3 ]
}

@test "a file system without space, all the way" {
    [ "$(id -u)" -eq 0 ] || skip "only root can mount a small file system"
    mkdir small
    mount -t tmpfs -o size=8k none small || skip "nothing can be mounted here"
    run quick -t sort,sha256,matmul -n 256 -o small/r.json
    umount small
    expect 1
    says "No space left on device"
    says "the journal goes on in $PWD/tmp/trapmark-"
    [ "$(cat tmp/*.journal | wc -l)" -eq 4 ]
}

@test "a read-only directory: exit 1, the journal is in TMPDIR" {
    mkdir locked
    if [ "$(id -u)" -eq 0 ]; then
        mount -t tmpfs -o ro none locked || skip "nothing can be mounted here"
    else
        chmod a-w locked
    fi
    run quick -o locked/r.json
    [ "$(id -u)" -ne 0 ] || umount locked
    expect 1
    says "nothing can be written beside locked/r.json; the journal is $PWD/tmp/"
    says "the finished rows are in $PWD/tmp/trapmark-"
    # The same command goes on from there, and measures nothing again.
    [ "$(id -u)" -ne 0 ] || rmdir locked
    [ -d locked ] && chmod u+w locked
    before=$(cat tmp/*.journal)
    run quick -o locked/r.json --resume
    expect 0
    silent_about "ok       s"
    [ "$(jq -c '.runs[0].samples' locked/r.json)" = \
        "$(sed -n 2p <<<"$before" | jq -c '.samples')" ]
}

@test "Ctrl-C keeps the rows so far, --resume goes on" {
    trapmark run -b native -t sort,sha256,matmul -n 30 --batch-us 40000 -o r.json \
        > out 2> err &
    pid=$!
    for _ in $(seq 200); do
        [ "$(grep -c '^{' r.json.journal 2> /dev/null)" = 2 ] && break
        sleep 0.05
    done
    kill -INT $pid
    status=0
    wait $pid || status=$?
    expect 130
    grep -q "interrupted; [12] rows are in r.json" err
    jq -e '.config.interrupted and (.runs | length) < 3' r.json
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    first=$(jq -c '.runs[0].samples' r.json)
    run trapmark run -b native -t sort,sha256,matmul -n 30 --batch-us 40000 -o r.json --resume
    expect 0
    jq -e '(.config.interrupted | not) and (.runs | length) == 3' r.json
    [ "$first" = "$(jq -c '.runs[0].samples' r.json)" ]
    [ ! -e r.json.journal ]
}

@test "a lost terminal interrupts, unless nohup keeps it out" {
    env --default-signal=HUP trapmark run -b native -t sort,sha256 -n 100 \
        --batch-us 100000 -o r.json > /dev/null 2>&1 &
    pid=$!
    until [ -s r.json.journal ]; do sleep 0.05; done
    kill -HUP $pid
    status=0
    wait $pid || status=$?
    expect 130
    jq -e .config.interrupted r.json
    nohup trapmark run -b native -t sort,sha256 -n 4 --batch-us 40000 \
        -o n.json > /dev/null 2>&1 &
    pid=$!
    until [ -s n.json.journal ]; do sleep 0.05; done
    kill -HUP $pid
    status=0
    wait $pid || status=$?
    expect 0
}

# The process ended; it may be that nobody has waited for it yet.
ended() {
    ! grep -q '^State:[^Z]*$' "/proc/$1/status" 2> /dev/null
}

@test "an interrupted run leaves no process behind" {
    trapmark run -b native -t sort -n 100 --batch-us 100000 -o r.json \
        > /dev/null 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        child=$(pgrep -P $pid || true)
        [ -n "$child" ] && break
        sleep 0.05
    done
    [ -n "$child" ]
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    expect 130
    ended "$child"
    # Not even when it is killed without a chance to tidy up.
    trapmark run -b native -t sort -n 100 --batch-us 100000 > /dev/null 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        child=$(pgrep -P $pid || true)
        [ -n "$child" ] && break
        sleep 0.05
    done
    kill -KILL $pid
    wait $pid 2> /dev/null || true
    sleep 0.2
    ended "$child"
}

@test "a journal that was cut off resumes" {
    quick -o r.json > /dev/null 2>&1
    # As a crash after one and a half rows leaves it.
    quick -o /dev/full > /dev/null 2>&1 || true
    { head -n 2 tmp/*.journal; sed -n 3p tmp/*.journal | head -c 40; } > r.json.journal
    rm tmp/*.journal r.json
    run quick -o r.json --resume
    expect 0
    silent_about "ok       sha256"
    says "ok       sort"
}

@test "a file that is no journal, or another run's, is left alone" {
    echo "my diary" > r.json.journal
    for more in "" --resume; do
        run quick -o r.json $more
        expect 2
        one_line
        says "not a Trapmark journal"
    done
    [ "$(cat r.json.journal)" = "my diary" ]
    rm r.json.journal
    quick -o /dev/full > /dev/null 2>&1 || true
    mv tmp/*.journal r.json.journal
    run quick -o r.json --resume -n 5
    expect 2
    one_line
    says "other options"
}

dials() {
    trapmark run -b interp --guest "$GUESTS/dials.elf" -t dials -n 1 "$@"
}

@test "a benchmark with a grid: a row a point, and -p takes other values" {
    run dials -o r.json
    expect 0
    says "dials size=2 depth=16"
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    run jq -c '[.runs[].params | [.size, .depth]]' r.json
    [ "$output" = '[["1","0"],["1","16"],["2","0"],["2","16"]]' ]
    run dials -p depth=3,4,5 -p size=9 -o r.json
    expect 0
    run jq -c '[.runs[].params | [.size, .depth]]' r.json
    [ "$output" = '[["9","3"],["9","4"],["9","5"]]' ]
    [ "$(jq -r .config.params r.json)" = "depth=3,4,5 size=9" ]
    trapmark report r.json -o out > table
    grep -q '^dials size=9 depth=4 ' table
    run trapmark list --guest "$GUESTS/dials.elf"
    says "size=1,2 depth=0,16"
}

@test "an interrupted grid resumes at the point where it stopped" {
    dials -o /dev/full > /dev/null 2>&1 || true
    [ "$(wc -l < tmp/*.journal)" -eq 5 ]
    head -n 3 tmp/*.journal > r.json.journal
    rm tmp/*.journal
    sed -n 3p r.json.journal > second
    run dials -o r.json --resume
    expect 0
    silent_about "ok       dials size=1"
    says "ok       dials size=2 depth=0"
    [ "$(jq -c '.runs[1].wall_s' r.json)" = "$(jq -c .wall_s second)" ]
    # Other values are another run.
    dials -o /dev/full > /dev/null 2>&1 || true
    mv tmp/*.journal r.json.journal
    run dials -o r.json --resume -p size=1
    expect 2
    says "other options"
}

@test "lists of policies and options make a row each" {
    available bt || skip "bt can't run here"
    run trapmark run -b bt,native -t empty -n 2 --paging trace \
        --bt-adaptive on,off --bt-unit 4,12 -o r.json
    expect 0
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    says "bt, no adaptation, units of 4"
    run jq -c '[.runs[] | select(.backend == "bt") | [.paging,
        .params["bt-adaptive"], .params["bt-unit"]] | join(" ")]' r.json
    [ "$output" = '["trace on 4","trace on 12","trace off 4","trace off 12"]' ]
    # A backend without a choice has one row under its own policy.
    run jq -c '[.runs[] | select(.backend == "native") | .params]' r.json
    [ "$output" = '[{}]' ]
}

@test "the guest gets the memory that was asked for" {
    trapmark run -b interp -t empty -n 1 --ram 64 -o r.json 2> /dev/null
    jq -e '.config.ram_mib == 64 and .runs[0].status == "ok"' r.json
}

@test "a sweep of policies becomes a map, cuts and words" {
    command -v gnuplot > /dev/null || skip "gnuplot is not installed"
    run trapmark run -b interp --paging none,trace,nested -t tradeoff -n 2 \
        --batch-us 200 -p updates=0,64 -p switches=4 -p touches=64 -o r.json
    expect 0
    says "interp/nested"
    "$BUILD/tests/validate" "$BATS_TEST_DIRNAME/../../results/schema.json" r.json
    run trapmark report r.json -o out
    expect 0
    says "tradeoff on interp: the cheapest policy"
    says "Paging policies on interp (trace, nested), at 2 points"
    says "no row of kvm with nested paging"
    grep -q 'Which paging policy is the cheapest' out/map.svg
    grep -q 'trace faults' out/cuts.svg
    grep -q 'Nested paging (interp/nested) against' out/report.html
}

@test "the guest sees the point that its row names" {
    trapmark run -b interp --deterministic -t tradeoff -p updates=0,64 \
        -p switches=0 -p touches=64 -o r.json > /dev/null 2>&1
    run jq -c '[.runs[] | [.params.updates, (.events["exit.invlpg"] // 0)]]' r.json
    [ "$output" = '[["0",0],["64",64]]' ]
}

@test "kvm's paging is its module's: asking for another is answered in one line" {
    available kvm || skip "no kvm"
    own=$(trapmark doctor --json | jq -r '.kvm.paging')
    case $own in
    ept | npt) other=trace own=nested ;;
    *) other=nested ;;
    esac
    run trapmark run -b kvm --paging $other -t empty -n 1 --batch-us 10 -o r.json
    expect 0
    says "--paging changes nothing for kvm: this host's KVM does $own paging"
    [ "$(grep -c "KVM does $own paging" <<< "$output")" = 1 ]
    jq -e --arg own "$own" '.runs[0].paging == $own' r.json
    run trapmark run -b kvm -t empty -n 1 --batch-us 10 -o r.json
    [[ $output != *"changes nothing"* ]]
}
