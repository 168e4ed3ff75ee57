# shellcheck shell=bash
# Sourced by run-tests.sh and deploy-local-dev.sh, with the root of the project as the working folder: the Debian or Homebrew
# packages that are missing, and .venv, made again only when its lock changes.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps the server programs of RabbitMQ and epmd in /usr/sbin or elsewhere out of a plain user's PATH.
has_program() { has "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/usr/lib/rabbitmq/bin/$1" ]; }

# apt_install PACKAGE...: false when it cannot be done.
apt_install() {
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        has sudo || return 1
        sudo=(sudo)
        if [ ! -t 0 ]; then sudo=(sudo -n); fi
    fi
    local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    local log
    log=$(mktemp)
    say "installing $*"
    if "${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 ||
        { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

brew_install() {
    say "installing $*"
    brew install --quiet "$@" >&2
}

# install_packages DEBIAN HOMEBREW: both lists of names separated by spaces; an empty one means nothing is known for it.
install_packages() {
    local names
    if has apt-get && [ -n "$1" ]; then
        read -ra names <<<"$1"
        apt_install "${names[@]}"
    elif has brew && [ -n "$2" ]; then
        read -ra names <<<"$2"
        brew_install "${names[@]}"
    else
        return 1
    fi
}

# Redis and RabbitMQ. Only the programs are used: the instances are our own, on free ports of 127.0.0.1.
ensure_servers() {
    local missing=()
    has_program redis-server || missing+=(redis)
    has_program rabbitmq-server || [ -x /opt/homebrew/sbin/rabbitmq-server ] || missing+=(rabbitmq)
    [ ${#missing[@]} = 0 ] && return 0
    case "${missing[*]}" in
    redis) install_packages redis-server redis ;;
    rabbitmq) install_packages rabbitmq-server rabbitmq ;;
    *) install_packages "redis-server rabbitmq-server" "redis rabbitmq" ;;
    esac
}

suitable_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The first Python of at least 3.11.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13; do
        if has "$candidate" && suitable_python "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

ensure_python() {
    find_python >/dev/null || install_packages "python3 python3-venv" python@3.11 || true
    local python
    python=$(find_python) || die "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)"
    # Debian ships Python without what makes virtual environments.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv "" ||
        die "$python cannot make virtual environments (Debian: apt-get install python3-venv)"
    printf '%s\n' "$python"
}

checksum() { cksum "$@" | cut -d' ' -f1,2 | tr '\n' ' '; }

# ensure_venv LOCK: .venv holds exactly what requirements/LOCK.lock lists. A lock that holds more serves as well.
ensure_venv() {
    local lock=$1 python stamp wanted
    stamp=$(cat .venv/.lock 2>/dev/null || true)
    if [ -x .venv/bin/python ]; then
        case "$stamp" in
        "dev $(checksum requirements/dev.lock)" | "$lock $(checksum "requirements/$lock.lock")") return 0 ;;
        esac
    fi
    python=$(ensure_python)
    wanted="$lock $(checksum "requirements/$lock.lock")"
    say "making .venv from requirements/$lock.lock"
    rm -rf .venv
    "$python" -m venv .venv
    # One package exists as source only; what makes a wheel of it is pinned like everything else.
    local install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps)
    { "${install[@]}" --require-hashes -r requirements/build.lock &&
        "${install[@]}" --require-hashes --no-build-isolation --use-pep517 -r "requirements/$lock.lock" &&
        "${install[@]}" --no-build-isolation --editable .; } ||
        die "the packages of requirements/$lock.lock could not be installed"
    printf '%s' "$wanted" >.venv/.lock
}
