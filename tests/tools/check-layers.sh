#!/bin/sh
# Checks that #include lines follow the layers of ARCHITECTURE.md; names every line that doesn't.
#   directory: what it may include from other directories (space-separated prefixes)
set -eu
cd "$(dirname "$0")/../.."

allowed() {
	case $1 in
	guest/abi/*) echo 'guest/abi/' ;;
	guest/*) echo 'guest/' ;;
	microbench/*) echo 'microbench/ guest/' ;;
	workloads/*) echo 'workloads/ guest/' ;;
	backends/*/*)
		dir=${1#backends/}
		dir=backends/${dir%%/*}/
		common='guest/abi/ backends/backend.h backends/events.h backends/state.h'
		case $dir in
		backends/x86/) echo "$common $dir" ;;
		backends/machine/) echo "$common $dir backends/x86/ backends/devices/" ;;
		backends/devices/) echo "$common $dir backends/machine/" ;;
		backends/interp/) echo "$common $dir backends/x86/ backends/mmu/" ;;
		backends/mmu/) echo "$common $dir backends/x86/" ;;
		backends/host/) echo "$common $dir backends/mmu/ backends/interp/step.h" ;;
		backends/direct/ | backends/bt/)
			echo "$common $dir backends/x86/ backends/mmu/ backends/host/ backends/interp/step.h" ;;
		*) echo "$common $dir backends/x86/ backends/machine/" ;;
		esac ;;
	backends/*) echo 'backends/backend.h backends/events.h backends/state.h' ;;
	harness/*) echo 'harness/ guest/abi/ backends/backend.h backends/events.h backends/state.h backends/machine/machine.h backends/kvm/probe.h backends/foreign/' ;;
	*) echo '' ;; # tests see everything
	esac
}

bad=0
for f in $(git ls-files '*.c' '*.h' '*.S'); do
	prefixes=$(allowed "$f")
	[ -n "$prefixes" ] || continue
	dir=$(dirname "$f")
	for inc in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$f"); do
		# As the compiler: beside the file first, then the root, then harness/.
		if [ -e "$dir/$inc" ]; then
			path=$(realpath --relative-to=. "$dir/$inc")
		elif [ -e "$inc" ]; then
			path=$inc
		elif [ -e "harness/$inc" ]; then
			path=harness/$inc
		else
			path=$(basename "$inc")
			path=$(git ls-files "*/$path" | head -n 1)
		fi
		ok=0
		for p in $prefixes; do
			case $path in "$p"*) ok=1 ;; esac
		done
		if [ $ok = 0 ]; then
			echo "$f: includes $path, which is not below it" >&2
			bad=1
		fi
	done
done
[ $bad = 0 ] && echo 'layers: ok'
exit $bad
