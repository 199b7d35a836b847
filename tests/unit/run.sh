#!/bin/sh
# Runs cmocka programs; prints the output of those that fail and one summary line.
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
programs=0 cases=0 failed=
for t; do
    programs=$((programs + 1))
    if timeout 300 "$t" >"$log" 2>&1; then
        :
    else
        status=$?
        echo "FAILED (status $status): $t"
        cat "$log"
        failed="$failed ${t##*/}"
    fi
    n=$(sed -n 's/^\[==========\] Running \([0-9]*\) test.*/\1/p' "$log")
    for i in $n; do
        cases=$((cases + i))
    done
done
if [ -n "$failed" ]; then
    echo "unit: $programs programs, failed:$failed"
    exit 1
fi
echo "unit: $programs programs, $cases tests, all passed"
