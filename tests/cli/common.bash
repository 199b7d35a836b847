# What the command-line tests share.

setup() {
    BUILD=${BUILD:-$PWD/build}
    GUESTS=$BUILD/tests/guests
    PATH=$BUILD:$PATH
    cd "$BATS_TEST_TMPDIR"
    mkdir tmp
    export TMPDIR=$PWD/tmp
}

# The exit code of the last `run`, with what it printed where it is another.
expect() {
    [ "$status" -eq "$1" ] && return
    echo "exit code $status, expected $1; printed:"
    printf '%s\n' "$output"
    return 1
}

# The output contains the words.
says() {
    [[ $output == *"$1"* ]] && return
    echo "doesn't say '$1' but:"
    printf '%s\n' "$output"
    return 1
}

silent_about() {
    [[ $output != *"$1"* ]] && return
    echo "says '$1':"
    printf '%s\n' "$output"
    return 1
}

one_line() {
    [ "${#lines[@]}" -eq 1 ] && return
    printf 'not one line:\n%s\n' "$output"
    return 1
}

# Whether a backend can be used here.
available() {
    trapmark list | grep -Eq "^$1 +yes "
}

# A fast run that needs neither KVM nor QEMU.
quick() {
    trapmark run -b native -t sort,sha256 -n 4 --batch-us 200 "$@"
}

# A run of one of tests/cli/guests with a short limit.
bad_guest() {
    local backend=$1 guest=$2
    shift 2
    trapmark run -b "$backend" --guest "$GUESTS/$guest.elf" -t "$guest" \
        --timeout 3 "$@"
}
