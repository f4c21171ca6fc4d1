#!/bin/sh
# Cross-compiles jetson-agent for aarch64 without docker, from Debian packages.
#
#   scripts/build-aarch64.sh --install   fetch what is missing first (root, Debian or Ubuntu with `rustc-web`)
#   scripts/build-aarch64.sh             build
#
# Debian's rustc is used because it comes with the standard library for arm64 as a package; cargo stays yours. The binary
# lands in target-aarch64/aarch64-unknown-linux-gnu/release/jetson-agent (or below $AARCH64_TARGET_DIR).
set -eu
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu

if [ "${1:-}" = --install ]; then
    dpkg --add-architecture arm64
    apt-get update -q
    apt-get install -q -y --no-install-recommends gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross \
        qemu-user-static binutils rustc-web
    # Only its files: as an installed package it would pull in LLVM for arm64.
    if [ ! -d "/usr/lib/rustlib/$target/lib" ]; then
        folder=$(mktemp -d)
        (cd "$folder" && apt-get download -q libstd-rust-web-dev:arm64 && dpkg -x libstd-rust-web-dev_*_arm64.deb files)
        mkdir -p /usr/lib/rustlib
        cp -a "$folder/files/usr/lib/rustlib/$target" /usr/lib/rustlib/
        rm -rf "$folder"
    fi
fi

for program in /usr/bin/rustc aarch64-linux-gnu-gcc; do
    command -v "$program" >/dev/null || { echo "error: $program is not installed; run $0 --install as root" >&2; exit 4; }
done
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
folder=${AARCH64_TARGET_DIR:-target-aarch64}
cargo build --release --locked --package jetson-agent --target "$target" --target-dir "$folder"
binary="$folder/$target/release/jetson-agent"
glibc=$(aarch64-linux-gnu-objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)
echo "$binary: $(wc -c <"$binary") bytes, needs $glibc"
# JetPack 6 has 2.35.
newest=$(printf '%s\nGLIBC_2.35\n' "$glibc" | sort -V | tail -n 1)
[ "$newest" = GLIBC_2.35 ] || { echo "error: $glibc is newer than JetPack 6's GLIBC_2.35" >&2; exit 1; }
