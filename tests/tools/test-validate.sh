#!/bin/sh
# Checks the shipped data against their schemas, and that the validator refuses what it must.
set -u
validate=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
good=$dir/good.json
checks=0 failed=0

valid() { # SCHEMA FILE
	checks=$((checks + 1))
	"$validate" "$1" "$2" >/dev/null || failed=$((failed + 1))
}

# A change to the fixture that the schema must not allow; the message must name the place.
refuses() { # SED-SCRIPT EXPECTED
	checks=$((checks + 1))
	sed "$1" "$good" >"$dir/bad.json"
	if cmp -s "$good" "$dir/bad.json"; then
		echo "no effect: $1" >&2
	elif "$validate" results/schema.json "$dir/bad.json" >/dev/null 2>"$dir/err"; then
		echo "accepted: $1" >&2
	elif ! grep -q -- "$2" "$dir/err"; then
		echo "$1: no \"$2\" in:" >&2
		cat "$dir/err" >&2
	else
		return
	fi
	failed=$((failed + 1))
}

awk -f tests/fixtures/results.awk >"$good"
valid results/schema.json "$good"
awk -v unit=instructions -f tests/fixtures/results.awk >"$dir/exact.json"
valid results/schema.json "$dir/exact.json"
valid results/reference-schema.json results/paper-2006.json
for f in results/examples/*.json; do
	[ -e "$f" ] && valid results/schema.json "$f"
done

refuses 's/trapmark-results\/1/trapmark-results\/2/' '/schema: is not one of'
refuses 's/"tool":/"tools":/' 'lacks the member tool'
refuses 's/"cores":2/"cores":0/' '/host/cores: is below the minimum'
refuses 's/"cores":2/"cores":1.5/' '/host/cores: is not of type integer'
refuses 's/"available":false,"reason":"fixture"/"available":false/' '/host/pmu: lacks the member reason'
refuses 's/"ring0":"emulated"/"ring0":"fast"/' '/host/kvm/ring0: is not one of'
refuses 's/"status":"ok"/"status":"fine"/' 'status: is not one of'
refuses 's/"status":"timeout","reason":"[^"]*"/"status":"timeout"/' 'lacks the member reason'
refuses 's/"median":410,/"median":"410",/' 'ticks_per_op/median: is not of type number'
refuses 's/"median":410,//' 'ticks_per_op: lacks the member median'
refuses 's/"ci95":\[[^]]*\]/"ci95":[1]/' 'ci95: has too few items'
refuses 's/"ci95":\[[^]]*\]/"ci95":[1,2,3]/' 'ci95: has too many items'
refuses 's/"exit.io"/"exit.typo"/' 'exit.typo: is not one of'
refuses 's/"checksum":"00000000f1f1f1f1"/"checksum":"F1"/' 'checksum: does not match'
refuses 's/"noisy":false/"noisy":0/' 'noisy: is not of type boolean'
refuses 's/"wall_s":0.5/"wall_s":null/' 'wall_s: is not of type number'
refuses 's/"wall_s":0.5/"wall":0.5/' 'wall: is not a member'
refuses 's/"wall_s":0.5/"noisy":true/' 'duplicate object key'
refuses '$d' 'bad.json:'

checks=$((checks + 1))
sed 's/"minItems"/"minItem"/' results/schema.json >"$dir/schema.json"
"$validate" "$dir/schema.json" "$good" >/dev/null 2>"$dir/err"
if [ $? != 2 ] || ! grep -q 'unknown keyword minItem' "$dir/err"; then
	echo "accepted a schema with an unknown keyword" >&2
	failed=$((failed + 1))
fi

if [ $failed != 0 ]; then
	echo "schema: $failed of $checks checks failed"
	exit 1
fi
echo "schema: $checks checks, all passed"
