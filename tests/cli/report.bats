#!/usr/bin/env bats
# `trapmark report`: tables, plots and the page from result files, and what it refuses.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	trapmark=${BUILD:-$PWD/build}/trapmark
	dir=$BATS_TEST_TMPDIR
	fixture=$dir/r.json
	awk -f tests/fixtures/results.awk >"$fixture"
}

# A PATH that has the few programs a report needs, but no gnuplot.
without_gnuplot() {
	mkdir "$dir/bin"
	ln -s "$(command -v sh)" "$dir/bin/sh"
	PATH=$dir/bin "$trapmark" "$@"
}

# A plain "! grep" would not fail a test.
lacks() { # PATTERN FILE
	if grep -E "$1" "$2"; then
		return 1
	fi
}

one_line_with() {
	[ "${#lines[@]}" -eq 1 ] || { echo "$output"; return 1; }
	[[ ${lines[0]} == *"$1"* ]] || { echo "$output"; return 1; }
}

@test "report prints a table a suite and the reasons for what is missing" {
	run "$trapmark" report "$fixture" -o "$dir/out"
	[ "$status" -eq 0 ]
	for suite in micro compute io mixed; do
		[[ $output == *"$suite: TSC ticks per operation"* ]]
	done
	[[ $output == *"compute: times native"* ]]
	[[ $output == *"timeout: no line from the guest for 20 s"* ]]
	[[ $output == *"fixture KVM, ring 0 emulated"* ]]
	grep -q '^hlt-timer .*~490k ±25%' <<<"$output"
}

@test "run and report print the same figures" {
	cd "$dir"
	"$trapmark" run -b native,interp -t sort -n 4 --batch-us 200 -o s.json \
		>run.txt 2>/dev/null
	"$trapmark" report s.json >report.txt 2>/dev/null
	# The row of "sort" in the first table that has one.
	run grep -m 1 '^sort ' run.txt
	[[ $output == *"±"*"±"* ]]
	grep -qF "$(sed 's/ *$//' <<<"$output")" report.txt
}

@test "report writes beside the file unless told where" {
	run "$trapmark" report "$fixture"
	[ "$status" -eq 0 ]
	[ -s "$dir/report.html" ]
	grep -q '<a href="r.json">' "$dir/report.html"
}

@test "report makes directories and links nothing that isn't there" {
	run "$trapmark" report "$fixture" -o "$dir/a/b"
	[ "$status" -eq 0 ]
	[ -s "$dir/a/b/report.html" ]
	lacks '<a href="r.json">' "$dir/a/b/report.html"
}

@test "report draws every plot, with the unit on it" {
	command -v gnuplot || skip "gnuplot is not installed"
	run "$trapmark" report "$fixture" -o "$dir/out"
	[ "$status" -eq 0 ]
	for plot in cost-micro cost-compute cost-io cost-mixed relative exits split scatter; do
		[ -s "$dir/out/$plot.svg" ]
		grep -q '</svg>' "$dir/out/$plot.svg"
	done
	grep -q 'TSC ticks per operation' "$dir/out/cost-micro.svg"
	grep -q 'exits per operation' "$dir/out/exits.svg"
	grep -q 'Failed on kvm: wrmsr' "$dir/out/cost-micro.svg"
	grep -q 'KVM here: fixture KVM, ring 0 emulated' "$dir/out/cost-micro.svg"
	[ -z "$(ls -A "$dir/out" | grep -v '\.svg$\|^report.html$')" ]
}

@test "the page is self-contained and well-formed where it matters" {
	command -v gnuplot || skip "gnuplot is not installed"
	"$trapmark" report "$fixture" -o "$dir/out" >/dev/null
	page=$dir/out/report.html
	[ "$(grep -c '<svg' "$page")" -eq 8 ]
	lacks '(src|href)="?(https?:)?//' "$page"
	lacks '<(script|link|img|iframe)' "$page"
	# Ids of inlined pictures don't collide.
	[ -z "$(grep -o "id=['\"][^'\"]*" "$page" | sort | uniq -d)" ]
}

@test "the page escapes what files say" {
	"$trapmark" report "$fixture" -o "$dir/out" >/dev/null
	grep -q 'Fixture CPU &lt;made up&gt; &amp; co' "$dir/out/report.html"
	grep -q '0f 30 &lt;c3&gt; &amp; &quot;more&quot;' "$dir/out/report.html"
	lacks '<made up>' "$dir/out/report.html"
}

@test "a deterministic run is labelled in instructions, and has no times" {
	awk -v unit=instructions -f tests/fixtures/results.awk >"$dir/exact.json"
	run "$trapmark" report "$dir/exact.json" -o "$dir/out"
	[ "$status" -eq 0 ]
	[[ $output == *"micro: retired instructions per operation"* ]]
	[[ $output != *"TSC ticks"* ]]
	[ ! -e "$dir/out/split.svg" ]
	lacks 'TSC ticks per operation' "$dir/out/report.html"
}

@test "several files stand side by side" {
	awk -v scale=2 -f tests/fixtures/results.awk >"$dir/new.json"
	run "$trapmark" report "$fixture" "$dir/new.json" -o "$dir/out"
	[ "$status" -eq 0 ]
	[[ $output == *"interp (r.json)"* ]]
	[[ $output == *"interp (new.json)"* ]]
	grep -q '^syscall  *410 [^ ]*  *820 ' <<<"$output"
}

@test "without gnuplot there are tables, the page and one line about it" {
	run --separate-stderr without_gnuplot report "$fixture" -o "$dir/out"
	[ "$status" -eq 0 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"gnuplot is not installed (apt-get install gnuplot"* ]]
	[[ $output == *"micro: TSC ticks"* ]]
	grep -q 'gnuplot is not installed' "$dir/out/report.html"
	lacks '<svg' "$dir/out/report.html"
}

@test "a file in which nothing is measured: reasons, and exit 77" {
	cat >"$dir/none.json" <<-'END'
		{"schema":"trapmark-results/1","tool":{},"host":{},"config":{},"warnings":[],"runs":[
		{"suite":"micro","bench":"in","backend":"kvm","status":"skipped","reason":"no /dev/kvm"}]}
	END
	run "$trapmark" report "$dir/none.json" -o "$dir/out"
	[ "$status" -eq 77 ]
	[[ $output == *"skipped: no /dev/kvm"* ]]
	grep -q 'no /dev/kvm' "$dir/out/report.html"
}

@test "a missing file is exit 2 and one line that names it" {
	run "$trapmark" report "$dir/absent.json"
	[ "$status" -eq 2 ]
	one_line_with absent.json
}

@test "truncated JSON is exit 2 with line and column" {
	head -c 3000 "$fixture" >"$dir/cut.json"
	run "$trapmark" report "$dir/cut.json"
	[ "$status" -eq 2 ]
	one_line_with "cut.json: line "
	one_line_with "column "
}

@test "JSON of another kind is exit 2" {
	echo '{"name":"other"}' >"$dir/other.json"
	run "$trapmark" report "$dir/other.json"
	[ "$status" -eq 2 ]
	one_line_with "other.json: not a Trapmark result file"
	echo '[1]' >"$dir/other.json"
	run "$trapmark" report "$dir/other.json"
	[ "$status" -eq 2 ]
	one_line_with other.json
}

@test "another schema version is exit 2 and names both" {
	sed 's/trapmark-results\/1/trapmark-results\/9/' "$fixture" >"$dir/v9.json"
	run "$trapmark" report "$dir/v9.json"
	[ "$status" -eq 2 ]
	one_line_with trapmark-results/9
	one_line_with trapmark-results/1
}

@test "a file without rows is exit 2" {
	echo '{"schema":"trapmark-results/1","tool":{},"host":{},"config":{},"warnings":[],"runs":[]}' >"$dir/empty.json"
	run "$trapmark" report "$dir/empty.json"
	[ "$status" -eq 2 ]
	one_line_with "empty.json: holds no rows"
}

@test "an odd figure is exit 2 and names the row" {
	sed 's/"median":410,/"median":"410",/' "$fixture" >"$dir/odd.json"
	run "$trapmark" report "$dir/odd.json"
	[ "$status" -eq 2 ]
	one_line_with "odd.json: runs[0]: ticks_per_op.median is not a number"
}

@test "ticks and instructions don't mix" {
	awk -v unit=instructions -f tests/fixtures/results.awk >"$dir/exact.json"
	run "$trapmark" report "$fixture" "$dir/exact.json"
	[ "$status" -eq 2 ]
	one_line_with "another unit"
}

@test "a directory that can't be written is exit 1" {
	echo >"$dir/plain"
	run --separate-stderr "$trapmark" report "$fixture" -o "$dir/plain/sub"
	[ "$status" -eq 1 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"$dir/plain/sub"* ]]
}

@test "a full disk is exit 1, and no half-written page stays" {
	mkdir "$dir/out"
	mount -t tmpfs -o size=64k none "$dir/out" 2>/dev/null || skip "cannot mount a small tmpfs"
	run --separate-stderr "$trapmark" report "$fixture" -o "$dir/out"
	left=$(ls -A "$dir/out" | grep -v '\.svg$' || true)
	umount "$dir/out"
	[ "$status" -eq 1 ]
	[[ $stderr == *"No space left on device"* ]]
	[ -z "$left" ]
}

@test "usage errors are exit 2" {
	run "$trapmark" report
	[ "$status" -eq 2 ]
	one_line_with "no result file"
	run "$trapmark" report --outptu x "$fixture"
	[ "$status" -eq 2 ]
	one_line_with --output
	run "$trapmark" report "$fixture" -o
	[ "$status" -eq 2 ]
	one_line_with "needs a value"
}
