#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the root file system of the test machine: a minimal Debian layout with this host's Python, and what is tested.
#
# It is an ext4 disk and not a tmpfs: idmapped mounts work on tmpfs only since Linux 6.3, and Debian 12 has 6.1.
# Usage: build_image.sh BIN_DIR PROBES_DIR WORK_DIR    makes WORK_DIR/image.ext4
set -eu

bin_dir=$1 probes_dir=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$work/root
python=$(readlink -f /usr/bin/python3)
stdlib=/usr/lib/$(basename "$python")
programs="dash true false id cat ls sleep env mkdir touch uname nproc"

# Copies a file and the shared libraries that it needs to the same paths below the new root.
add() {
  install_at "$1"
  add_libraries "$1"
}

add_libraries() {
  { ldd "$1" 2> /dev/null || true; } | grep -oE '/[^ ]+' | sort -u |
    while read -r library; do install_at "$library"; done
}

install_at() {
  path=$(readlink -f "$(dirname "$1")")/$(basename "$1")
  [ -e "$root$path" ] || { mkdir -p "$root$(dirname "$path")" && cp -pL "$path" "$root$path"; }
}

make_layout() {
  rm -rf "$root"
  for folder in usr/bin usr/sbin usr/lib usr/lib64 usr/local/bin etc dev proc sys run home root srv var/lib var/tmp; do
    mkdir -p "$root/$folder"
  done
  mkdir -m 1777 "$root/tmp"
  chmod 0700 "$root/root"
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
}

add_programs() {
  for name in $programs; do add "/usr/bin/$name"; done
  ln -s dash "$root/usr/bin/sh"
  cp "$(command -v busybox)" "$root/usr/bin/busybox"
  cp "$here/guest/init" "$root/usr/sbin/vm-init"
}

add_python() {
  add "$python"
  ln -s "$(basename "$python")" "$root/usr/bin/python3"
  mkdir -p "$root$stdlib"
  (cd "$stdlib" && tar cf - --exclude=./test --exclude=./idlelib --exclude=./tkinter --exclude=./lib2to3 \
    --exclude=./ensurepip --exclude=./pydoc_data --exclude='./config-*' .) | tar xf - -C "$root$stdlib"
  cp -a "/etc/$(basename "$python")" "$root/etc/" 2> /dev/null || true
  for module in "$stdlib"/lib-dynload/*.so; do add "$module"; done
}

add_accounts() {
  cat > "$root/etc/passwd" <<- END
	root:x:0:0:root:/root:/bin/sh
	user:x:1000:1000:user:/home/user:/bin/sh
	nobody:x:65534:65534:nobody:/:/bin/false
	END
  printf 'root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n' > "$root/etc/group"
  printf '127.0.0.1 localhost vm\n' > "$root/etc/hosts"
  printf 'passwd: files\ngroup: files\nhosts: files\n' > "$root/etc/nsswitch.conf"
  echo vm > "$root/etc/hostname"
}

add_what_is_tested() {
  for name in wardenv wardenv-launcher wardenv-cli; do
    cp -pL "$bin_dir/$name" "$root/usr/local/bin/"
    add_libraries "$bin_dir/$name"
  done
  mkdir -p "$root/usr/lib/wardenv-vm"
  cp -r "$here/guest/." "$root/usr/lib/wardenv-vm/"
  if [ -d "$probes_dir" ]; then cp -rL "$probes_dir" "$root/usr/lib/wardenv-vm/probes"; fi
}

make_layout
add_programs
add_python
add_accounts
add_what_is_tested
ldconfig -r "$root" 2> /dev/null
rm -f "$work/image.ext4"
size_mib=$(($(du -sm "$root" | cut -f1) + 256))
mke2fs -q -F -t ext4 -O ^has_journal -E root_owner=0:0 -d "$root" "$work/image.ext4" "${size_mib}M" > /dev/null
rm -rf "$root"
