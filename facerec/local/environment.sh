# shellcheck shell=bash
# Sourced by run-tests.sh and deploy-local-dev.sh, with the root of the project as the working folder: the Debian or Homebrew
# packages that are missing, and .venv, made again only when its lock changes.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Where Homebrew is: as `brew shellenv` said, as brew says, or where its installer puts it on Apple silicon and on Intel.
homebrew_prefix() {
    local folder
    if [ -n "${HOMEBREW_PREFIX:-}" ]; then
        printf '%s\n' "$HOMEBREW_PREFIX"
        return
    fi
    if has brew; then
        brew --prefix
        return
    fi
    for folder in /opt/homebrew /usr/local; do
        if [ -x "$folder/bin/brew" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}

# RabbitMQ is in Homebrew's sbin, which is on few people's PATH, and looks for Erlang, which is in its bin, on the PATH itself.
# They come last, so that what the user has comes first.
use_homebrew() {
    local prefix
    if prefix=$(homebrew_prefix); then
        export PATH="$PATH:$prefix/bin:$prefix/sbin"
    fi
}
use_homebrew

# slowly WHAT COMMAND...: run it, and say what is done, again every ten seconds until it ends.
slowly() {
    local what=$1 ticker status=0
    shift
    say "$what"
    (
        seconds=0
        # Not beyond the script, and a sleep that is left over holds nobody's pipe open.
        while sleep "${tell_every:-10}" </dev/null >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
            seconds=$((seconds + ${tell_every:-10}))
            say "still $what ($seconds s)"
        done
    ) >/dev/null &
    ticker=$!
    "$@" || status=$?
    kill $ticker 2>/dev/null || true
    wait $ticker 2>/dev/null || true
    return $status
}

# Debian keeps the server programs of RabbitMQ and epmd in /usr/sbin or elsewhere out of a plain user's PATH.
has_program() { has "$1" || [ -x "/usr/sbin/$1" ] || [ -x "/usr/lib/rabbitmq/bin/$1" ]; }

# apt_install PACKAGE...: false when it cannot be done.
apt_install() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0) log
    if [ "$(id -u)" != 0 ]; then
        has sudo || return 1
        if [ -t 0 ]; then apt=(sudo "${apt[@]}"); else apt=(sudo -n "${apt[@]}"); fi
    fi
    log=$(mktemp)
    apt_try() {
        "${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 ||
            { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } >"$log" 2>&1
    }
    if slowly "installing $*" apt_try "$@"; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

brew_install() {
    slowly "installing $*" brew install --quiet "$@" >&2
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

# by_hand DEBIAN HOMEBREW: what a person types when install_packages could not do it.
by_hand() {
    printf 'Debian: sudo apt-get install %s' "$1"
    [ -z "$2" ] || printf '; macOS, not as root: brew install %s, with Homebrew from https://brew.sh' "$2"
}

# Redis and RabbitMQ. Only the programs are used: the instances are our own, on free ports of 127.0.0.1.
ensure_servers() {
    local debian="" homebrew=""
    if ! has_program redis-server; then debian=redis-server homebrew=redis; fi
    if ! has_program rabbitmq-server; then debian="$debian rabbitmq-server" homebrew="$homebrew rabbitmq"; fi
    [ -n "$homebrew" ] || return 0
    install_packages "$debian" "$homebrew" && return
    say "missing: ${homebrew# } ($(by_hand "${debian# }" "${homebrew# }"))"
    return 1
}

# dlib and ONNX Runtime have no wheels for other Macs; lock.sh looks for those.
check_mac() {
    [ "$(uname -s)" = Darwin ] || return 0
    [ "$(uname -m)" = arm64 ] && [ "$(sw_vers -productVersion | cut -d. -f1)" -ge 14 ] ||
        die "without containers it wants Apple silicon and macOS 14 or newer; with Docker: ./deploy-local-dev.sh --compose"
}

# The locks have wheels for these; lock.sh looks for them.
suitable_python() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

# The first suitable Python. Homebrew's and some systems' python3 is soon newer than the newest wheels.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13 python3.14; do
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
    python=$(find_python) || die "Python 3.11 to 3.14 is needed ($(by_hand "python3 python3-venv" python@3.11))"
    # Debian ships Python without what makes virtual environments.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv "" ||
        die "$python cannot make virtual environments ($(by_hand python3-venv ""))"
    printf '%s\n' "$python"
}

# A wrong or misspelt setting is said before anything is installed, where a Python is here already to tell.
check_settings() {
    local python
    python=$(find_python) || return 0
    "$python" -B -c '
import sys
from facerec.config import load_settings
from facerec.errors import FacerecError
try:
    load_settings()
except FacerecError as error:
    sys.exit(f"{error.code}: {error.reason}")'
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
    check_mac
    python=$(ensure_python) || exit
    wanted="$lock $(checksum "requirements/$lock.lock")"
    say "making .venv from requirements/$lock.lock"
    rm -rf .venv
    "$python" -m venv .venv || die "$python could not make .venv"
    slowly "installing the packages of requirements/$lock.lock" install_locked "$lock" ||
        die "the packages of requirements/$lock.lock could not be installed"
    printf '%s' "$wanted" >.venv/.lock
}

install_locked() {
    local lock=$1
    # One package exists as source only; what makes a wheel of it is pinned like everything else.
    local install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps)
    "${install[@]}" --require-hashes -r requirements/build.lock &&
        "${install[@]}" --require-hashes --no-build-isolation --use-pep517 -r "requirements/$lock.lock" &&
        "${install[@]}" --no-build-isolation --editable .
}
