#!/bin/sh
# Cross-compiles jetson-agent for aarch64 without docker, from Debian packages.
#
#   scripts/build-aarch64.sh --install   fetch what is missing first (root, Debian or Ubuntu with `rustc-web`)
#   scripts/build-aarch64.sh --install-only   fetch what is missing and stop
#   scripts/build-aarch64.sh             build for JetPack 6 and later
#   scripts/build-aarch64.sh --check     check that it compiles, without code
#   scripts/build-aarch64.sh --glibc 2.27  build for older ones too (JetPack 5 has 2.31, JetPack 4 has 2.27); links with zig,
#                                        which pip fetches
#   AGENT_FEATURES=push scripts/build-aarch64.sh   with further features; `push` speaks TLS, whose C and assembly the same
#                                        compiler makes
#
# Debian's rustc is used because it comes with the standard library for arm64 as a package; cargo stays yours. The binary
# lands in target-aarch64/aarch64-unknown-linux-gnu/release/jetson-agent (or below $AARCH64_TARGET_DIR).
set -eu
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu

# JetPack 6's.
newest_glibc=2.35
if [ "${1:-}" = --glibc ]; then
    newest_glibc=${2:?--glibc needs a version such as 2.27}
elif [ "${1:-}" = --install ] || [ "${1:-}" = --install-only ]; then
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
    [ "$1" = --install ] || exit 0
fi

for program in /usr/bin/rustc aarch64-linux-gnu-gcc; do
    command -v "$program" >/dev/null || { echo "error: $program is not installed; run $0 --install as root" >&2; exit 4; }
done
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
folder=${AARCH64_TARGET_DIR:-target-aarch64}
if [ "${1:-}" = --glibc ]; then
    folder="$folder/glibc-$newest_glibc"
    mkdir -p "$folder"
    [ -x "$folder/zig/bin/python" ] || python3 -m venv "$folder/zig"
    "$folder/zig/bin/pip" install --quiet --disable-pip-version-check ziglang==0.13.0
    case $folder in /*) ZIG_PYTHON="$folder/zig/bin/python" ;; *) ZIG_PYTHON="$PWD/$folder/zig/bin/python" ;; esac
    export ZIG_PYTHON TARGET_GLIBC="$newest_glibc"
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$PWD/scripts/link-old-glibc"
fi
command=build
[ "${1:-}" != --check ] || command=check
cargo "$command" --release --locked --package jetson-agent --features "${AGENT_FEATURES:-}" --target "$target" --target-dir "$folder"
[ "$command" = build ] || exit 0
binary="$folder/$target/release/jetson-agent"
glibc=$(aarch64-linux-gnu-objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)
echo "$binary: $(wc -c <"$binary") bytes, needs $glibc"
newest=$(printf '%s\nGLIBC_%s\n' "$glibc" "$newest_glibc" | sort -V | tail -n 1)
[ "$newest" = "GLIBC_$newest_glibc" ] || { echo "error: $glibc is newer than $newest_glibc" >&2; exit 1; }
