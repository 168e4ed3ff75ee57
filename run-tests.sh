#!/usr/bin/env bash
# Every check of the project: style, types, tests. Makes what it needs: .venv from requirements/dev.lock, Debian or Homebrew
# packages when missing, Redis and RabbitMQ of its own on free ports. A plain mistake is red early: style, types and the tests of
# single parts come first.
#   ./run-tests.sh                    everything, in two processes a core: many tests wait for servers most of the time
#   ./run-tests.sh --quick            style, types, single parts, and the contracts on a real Redis and RabbitMQ
#   ./run-tests.sh --full             before a release: also what else is made anew only when its inputs changed
#   ./run-tests.sh tests/unit -x      what pytest is told, in one process
#   ./run-tests.sh --benchmark NAME   one of benchmarks/ and its options, instead of any check
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=facerec/local/environment.sh
. facerec/local/environment.sh

has_browser() { has chromium || has google-chrome; }

# What a part of the tests needs. They skip with a message where it is missing, and fail in CI.
ensure_tools() {
    ensure_servers || say "Redis or RabbitMQ could not be installed: the tests that need them are skipped"
    has apt-get || return 0
    # The headless shell takes a third of the processor time; Debian has it, Ubuntu has not.
    has chromium-headless-shell || { [ -z "${CI:-}" ] && has_browser; } || apt_install chromium-headless-shell || has_browser ||
        apt_install chromium || say "chromium could not be installed: no browser tests"
    { has php && php -m | grep -qx curl; } || apt_install php-cli php-curl || say "php could not be installed: no PHP client test"
    has promtool || apt_install prometheus || say "prometheus could not be installed: no tests of alerts"
    # Images can be built only where a process may have mounts of its own.
    if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
        { has buildah && has_program debootstrap; } || apt_install buildah debootstrap || say "no buildah, debootstrap: no image tests"
    fi
}

# Style and types, which need no server. What Python has on Linux alone must not be used on macOS.
check_style_and_types() {
    local darwin
    $run -m ruff check .
    $run -m ruff format --check .
    $run -m mypy --platform darwin --cache-dir .mypy_cache/darwin &
    darwin=$!
    $run -m mypy
    wait "$darwin"
}

# check PROCESSES ARGUMENTS: pytest, side by side in so many processes; see tests/twice.py.
check() { $run -m tests.twice --dist loadfile --no-loadscope-reorder --numprocesses "$@"; }

# A setting of the developer's shell must not change a check, or have every process compile all modules for itself.
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
run=.venv/bin/python
if [ "${1:-}" = --benchmark ]; then
    [ -f "benchmarks/${2:-}.py" ] || [ -f "benchmarks/${2:-}/__main__.py" ] || die "say which: ./run-tests.sh --benchmark engine"
    ensure_servers || say "Redis or RabbitMQ could not be installed: most benchmarks need them"
    ensure_venv dev
    exec $run -m "benchmarks.$2" "${@:3}"
fi
cores=$(getconf _NPROCESSORS_ONLN)
[ "$cores" -le 4 ] || cores=4
ensure_python >/dev/null
ensure_tools &
tools=$!
ensure_venv dev
check_style_and_types
wait "$tools"
case "${1:-}" in
--quick)
    check "$cores" tests/unit
    check "$((2 * cores))" tests/contract
    ;;
"" | --full)
    check "$cores" tests/unit
    check "$((2 * cores))" --ignore tests/unit --durations 15 "$@"
    ;;
*) check 0 "$@" ;;
esac
