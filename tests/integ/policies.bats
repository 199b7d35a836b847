# The interpreter's paging policies: what they count, and that guests can't tell
# them apart. Counts are exact: the runs are deterministic.

setup_file() {
    export BUILD=${BUILD:-$PWD/build}
    PATH=$BUILD:$PATH
    for n in 1 2; do
        timeout 100 trapmark run -b interp --deterministic -n 2 --batch-us 100 \
            --paging none,vtlb,trace,unsync,nested --walk-cache off \
            -t ptemod-same,pgfault,cr3-touch,chase64m,forkwait,map-churn,shell \
            -o "$BATS_FILE_TMPDIR/$n.json" > "$BATS_FILE_TMPDIR/$n.out" 2>&1
    done
}

# rows FILTER: whether there are rows, and it holds for each of them.
rows() {
    jq -e "[.runs[] | $1] | length > 0 and all" "$BATS_FILE_TMPDIR/1.json"
}

@test "policies: every row is ok, and two runs are identical" {
    rows '.status == "ok"'
    for n in 1 2; do
        jq '[.runs[] | del(.wall_s, .perf, .event_ticks, .time_split)]' \
            "$BATS_FILE_TMPDIR/$n.json" > "$BATS_TEST_TMPDIR/$n"
    done
    cmp "$BATS_TEST_TMPDIR"/[12]
}

@test "policies: guests do the same under each policy" {
    jq -e '.runs | group_by([.bench, .params.pages])[] |
        (length == 5) and
        ([.[] | [.checksum, .samples, .control, .iterations,
            .events["insn.retired"], .events["fault.true"],
            .events["ctx.switch"]]] | unique | length == 1)' \
        "$BATS_FILE_TMPDIR/1.json"
}

@test "policies: a TLB miss makes 4 references, 24 in two dimensions" {
    jq -e '[.runs[] | select(.bench == "chase64m") |
        {(.paging): (.events["walk.refs"] / .events["tlb.miss"])}] | add |
        (.none > 3.99 and .none < 4.01) and
        (.nested > 23.9 and .nested < 24.1) and
        ([.vtlb, .trace, .unsync] | all(. > 3.99 and . < 4.01))' \
        "$BATS_FILE_TMPDIR/1.json"
}

@test "policies: translations are cached as well under each policy" {
    jq -e '[.runs[] | select(.bench == "cr3-touch" and .params.pages == "256") |
        .events["tlb.miss"]] | unique | length == 1' "$BATS_FILE_TMPDIR/1.json"
}

@test "policies: who faults where" {
    rows 'select(.paging | IN("none", "nested", "vtlb")) |
        (.events["fault.trace"] // 0) == 0'
    rows 'select(.paging == "none") | (.events["fault.hidden"] // 0) == 0'
    rows 'select(.paging == "nested" and .bench == "map-churn") |
        (.events["fault.hidden"] // 0) < 0.1'
    rows 'select(.paging == "trace" and .bench == "ptemod-same") |
        .events["fault.trace"] == 1'
    rows 'select(.paging == "vtlb" and .bench == "cr3-touch") |
        .events["fault.hidden"] >= 1'
    rows 'select(.paging | IN("trace", "unsync")) |
        select(.bench == "cr3-touch") | (.events["fault.hidden"] // 0) < 0.1'
}
