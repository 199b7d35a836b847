# Help, versions and every kind of wrong usage.

load common

@test "no command prints the help and fails" {
    run trapmark
    expect 2
    says "Usage: trapmark COMMAND"
}

@test "help and --version" {
    for word in help --help -h; do
        run trapmark $word
        expect 0
        says "doctor"
    done
    run trapmark --version
    expect 0
    one_line
    [[ $output =~ ^trapmark\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "every command has help" {
    for command in list doctor run report; do
        for way in "$command --help" "$command -h" "help $command"; do
            run trapmark $way
            expect 0
            says "Usage: trapmark $command"
            says "--help"
        done
    done
}

@test "unknown commands and options suggest the nearest" {
    run trapmark rnu
    expect 2
    one_line
    says "did you mean 'run'?"
    run trapmark --verison
    expect 2
    one_line
    says "did you mean '--version'?"
    run trapmark help doktor
    expect 2
    says "did you mean 'doctor'?"
    run trapmark run --benchmark-s sort
    expect 2
    one_line
    says "did you mean '--benchmarks'?"
    run trapmark list --jsno
    expect 2
    one_line
    says "did you mean '--json'?"
    run trapmark run -X
    expect 2
    one_line
    says "unknown option '-X'"
    run trapmark xyzzyxyzzy
    expect 2
    one_line
    silent_about "did you mean"
}

@test "options that lack a value, or have one too many" {
    run trapmark run -o
    expect 2
    one_line
    says "needs a value"
    run trapmark run --samples
    expect 2
    one_line
    run trapmark run --resume=yes
    expect 2
    one_line
    says "takes no value"
}

@test "numbers out of range" {
    for wrong in "-n 0" "-n 257" "-n x" "-n 3x" "-n -1" "--timeout 0" \
                 "--batch-us 0" "--seed -3" "-n 99999999999999999999" "--rounds 0" "--rounds 65"; do
        run trapmark run $wrong
        expect 2
        one_line
        says "takes a number from"
    done
}

@test "unknown benchmarks, backends, suites, events" {
    run trapmark run -t syscal
    expect 2
    one_line
    says "unknown benchmark 'syscal'; did you mean 'syscall'?"
    run trapmark run -t syscall,ptemod
    expect 2
    one_line
    says "did you mean 'ptemod-"
    run trapmark run -b interpp
    expect 2
    one_line
    says "unknown backend 'interpp'; did you mean 'interp'?"
    run trapmark run -s micor
    expect 2
    one_line
    says "unknown suite 'micor'; did you mean 'micro'?"
    run trapmark run --events task-clok
    expect 2
    one_line
    says "unknown event 'task-clok'"
    run trapmark run -t ,
    expect 2
    one_line
    says "names nothing"
}

@test "arguments where none belong" {
    run trapmark run syscall
    expect 2
    one_line
    says "benchmarks are named with -t"
    run trapmark list everything
    expect 2
    one_line
    run trapmark doctor me
    expect 2
    one_line
    run trapmark run --resume -t sort
    expect 2
    one_line
    says "--resume needs -o"
}

@test "output that can't be written is noticed" {
    run bash -c 'trapmark list > /dev/full'
    expect 1
    one_line
    says "No space left"
}

@test "paging policies that nobody has, with those that there are" {
    run trapmark run -b bt --paging trcae
    expect 2
    one_line
    says "unknown paging policy 'trcae'; did you mean 'trace'? (known: "
    run trapmark run --paging ,
    expect 2
    one_line
    says "names nothing"
}

@test "options with lists of values: each value is checked" {
    for wrong in "--fault-around 3" "--fault-around 1,1024" "--prefill maybe" \
                 "--prefill on,maybe" "--shadow-cache 0" "--walk-cache 1" \
                 "--bt-adaptive on,of" "--bt-chain 1" "--bt-inline 1" "--bt-user on" \
                 "--nested-large 1" "--kvm-trace 1" "--bt-unit 0,4" "--bt-unit 4," \
                 "--ram 65" "--ram 1" "--ram 4096"; do
        run trapmark run $wrong
        expect 2
        one_line
        says "trapmark run: ${wrong%% *} "
    done
}

@test "dials that no chosen benchmark has, and values that are no numbers" {
    run trapmark run -t sort -p updates=1
    expect 2
    one_line
    says "none of the chosen benchmarks has a dial"
    for wrong in "" updates updates= updates=1,x "a=1 a=2" Updates=1; do
        run trapmark run -p "$wrong"
        expect 2
        one_line
        says "--param"
    done
    dials="--guest $GUESTS/dials.elf -t dials"
    run trapmark run $dials -p deptj=1
    expect 2
    one_line
    says "did you mean 'depth'?"
}

@test "a grid that makes no sense is one clear error" {
    for command in "run -t badgrid" list; do
        run trapmark $command --guest "$GUESTS/badgrid.elf"
        expect 2
        says "badgrid has a malformed grid: size has the value 'many'"
    done
}
