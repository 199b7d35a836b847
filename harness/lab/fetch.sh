#!/bin/sh
# Fetches what `trapmark lab` boots as Debian packages and unpacks it: fetch.sh DIR. Installs nothing.
#   DIR/root/boot/vmlinuz-*, DIR/root/lib/modules/*   Debian's cloud kernel
#   DIR/root/usr/bin/qemu-system-x86_64               only where QEMU isn't installed, with its libraries
set -eu
dir=$1
wait=300 # seconds that a download may take

fail() {
	echo "lab-deps: $*" >&2
	exit 1
}

kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

have_kernel() { ls "$dir"/root/boot/vmlinuz-* >/dev/null 2>&1; }
have_qemu() {
	command -v qemu-system-x86_64 >/dev/null 2>&1 || [ -x "$dir/root/usr/bin/qemu-system-x86_64" ]
}

have_kernel && have_qemu && exit 0
for tool in apt-get dpkg timeout; do
	command -v "$tool" >/dev/null 2>&1 || fail "needs $tool: only Debian's packages are known here"
done
mkdir -p "$dir/deb" "$dir/root"
dir=$(cd "$dir" && pwd)
log=$dir/fetch.log
: >"$log"
update() { [ "$(id -u)" = 0 ] && timeout $wait apt-get update >>"$log" 2>&1; }
[ -n "$(kernel_package)" ] || update || true

# Root's downloads would else go by way of a user that can't write here.
apt_options="-q -o APT::Sandbox::User=$(id -un)"
if ! have_kernel; then
	[ -n "$(kernel_package)" ] || fail "no package linux-image-cloud-amd64 is known; run apt-get update"
	# The second time with fresh lists: what the old ones name may be gone.
	# shellcheck disable=SC2086 # a list of words
	get_kernel() { (cd "$dir/deb" && timeout $wait apt-get $apt_options download "$(kernel_package)") >>"$log" 2>&1; }
	get_kernel || { update && get_kernel; } || fail "$(kernel_package) can't be had: $(tail -n 1 "$log")"
fi
if ! have_qemu; then
	mkdir -p "$dir/deb/partial"
	# shellcheck disable=SC2086
	timeout $wait apt-get $apt_options -y --no-install-recommends --download-only -o Debug::NoLocking=1 \
		-o Dir::Cache::archives="$dir/deb" install qemu-system-x86 >>"$log" 2>&1 ||
		fail "qemu-system-x86 can't be had: $(tail -n 1 "$log")"
fi
for package in "$dir"/deb/*.deb; do
	dpkg -x "$package" "$dir/root" || fail "$package can't be unpacked"
done
rm -rf "$dir/deb"
# Newer kernels have their modules compressed.
find "$dir/root/lib/modules" \( -name 'kvm*.ko.xz' -o -name 'irqbypass.ko.xz' -o -name 'ccp.ko.xz' \) -exec xz -d {} +
have_kernel || fail "the package holds no kernel"
have_qemu || fail "the packages hold no qemu-system-x86_64"
