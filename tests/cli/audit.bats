# trapmark audit: the table, the words under it, and what is no finding.

load common

# What the last `run` printed, as one line: texts are wrapped.
unwrap() {
    output=$(tr '\n' ' ' <<<"$output")
}

# Verdicts of a backend, one a line, for the tests that a jq condition selects.
verdicts() {
    jq -r ".results[] | select(.backend == \"$1\" and ($2)) | .verdict" audit.json
}

@test "audit: interp preserves every test" {
    trapmark audit -b interp --json > audit.json
    [ "$(verdicts interp true | sort | uniq -c | tr -s ' ')" = " 58 preserved" ]
}

@test "audit: both rings and all of the classic list are there" {
    trapmark audit -b interp --json > audit.json
    for insn in sgdt sidt sldt smsw str pushf popf lar lsl verr verw "pop %fs" \
                "push %fs" "call far" "jmp far" "ret far" "int n" \
                "mov from %cs" "mov to %fs"; do
        run jq -c --arg i "$insn" '[.results[] | select(.insn == $i and
            .group == "classic") | .ring]' audit.json
        [ "$output" = "[0,3]" ] || { echo "$insn: $output"; return 1; }
    done
}

@test "audit: the table, then what it means" {
    run trapmark audit -b interp
    expect 0
    unwrap
    says "interp 0"
    says "theorem 1"
    says "not classically virtualizable"
    says "UMIP"
    says "58 of 58 tests preserved"
    silent_about "WRONG "
}

@test "audit: direct goes wrong in silence, and says with what" {
    available direct || skip "direct isn't available"
    trapmark audit -b direct --json > audit.json
    run verdicts direct '.ring == 0 and (.insn == "popf" or .insn == "pushf" or
        .insn == "mov from %cs" or .insn == "str")'
    [ "$(sort -u <<<"$output")" = "silently wrong" ]
    [ "${#lines[@]}" -eq 4 ]
    run jq -r '.results[] | select(.insn == "mov from %cs" and .ring == 0) |
        .want' audit.json
    [ "$output" = "cs=0x8" ]
    run trapmark audit -b direct
    expect 0
    unwrap
    says "Not classically virtualizable, seen at work"
    says "should have been cs=0x8"
}

@test "audit: bt preserves every test where it translates user code, too" {
    available bt || skip "bt isn't available"
    trapmark audit -b bt --json > audit.json
    [ "$(verdicts bt true | sort | uniq -c | tr -s ' ')" = " 58 preserved" ]
    [ "$(jq -r '.backends[] | .bt_user' audit.json)" = translate ]
    run trapmark audit -b bt
    expect 0
    unwrap
    says "58 of 58 tests preserved. Here it translated the guest's programs"
}

@test "audit: bt with direct execution keeps the kernel, and says what else" {
    available bt || skip "bt isn't available"
    trapmark audit -b bt --bt-user=direct --json > audit.json
    [ "$(verdicts bt '.ring == 0' | sort | uniq -c | tr -s ' ')" = " 29 preserved" ]
    [ "$(verdicts bt '.ring == 3 and .insn == "mov from %cs"')" = "silently wrong" ]
    run trapmark audit -b bt --bt-user=direct
    expect 0
    unwrap
    says "it needs no privilege in ring 3, so it doesn't trap"
    says "--bt-user=translate closes it"
    run trapmark audit --bt-user=no
    expect 2
    one_line
}

@test "audit: an instruction that ends the guest costs only itself" {
    available kvm || skip "kvm isn't available"
    trapmark audit -b kvm --json > audit.json
    [ "$(verdicts kvm true | wc -l)" -eq 58 ]
    # Each that couldn't be judged says why; the last test was made all the same.
    run jq -r '.results[] | select(.verdict == "unknown" and
        (.reason | length) < 10) | .insn' audit.json
    [ -z "$output" ]
    [ "$(verdicts kvm '.insn == "iret"' | grep -vc unknown)" -eq 2 ]
}

@test "audit: qemu-tcg is judged as our own backends are" {
    available qemu-tcg || skip "qemu-tcg isn't available"
    trapmark audit -b qemu-tcg --json > audit.json
    [ "$(verdicts qemu-tcg true | wc -l)" -eq 58 ]
    [ "$(verdicts qemu-tcg '.insn == "sgdt"' | sort -u)" = "preserved" ]
}

@test "audit: a guest that ends at once is a failure with a reason" {
    run trapmark audit -b interp --guest "$GUESTS/panic.elf"
    expect 2 # it has no audit
    one_line
    says "unknown benchmark 'audit'"
}

@test "audit: what can't run is named" {
    run trapmark audit -b native
    expect 77
    says "not audited: native: "
    run trapmark audit -b iterp
    expect 2
    one_line
    says "did you mean 'interp'?"
    run trapmark audit --timeout 0
    expect 2
    one_line
    run trapmark audit something
    expect 2
    one_line
}
