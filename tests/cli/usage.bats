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
                 "--batch-us 0" "--seed -3" "-n 99999999999999999999"; do
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
