#!/usr/bin/env bash
# Every check of the project: style, types, tests. Makes what it needs: .venv from requirements/dev.lock, Debian or Homebrew
# packages when missing, Redis and RabbitMQ of its own on free ports. More arguments go to pytest:
#   ./run-tests.sh                    everything, in three processes side by side: many tests wait for servers most of the time
#   ./run-tests.sh tests/unit -x      as fast as it gets
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=facerec/local/environment.sh
. facerec/local/environment.sh

# What a part of the tests needs. They skip with a message where it is missing, and fail in CI.
ensure_tools() {
    ensure_servers || say "Redis or RabbitMQ could not be installed: the tests that need them are skipped"
    has apt-get || return 0
    has chromium || has google-chrome || apt_install chromium || say "chromium could not be installed: no browser tests"
    { has php && php -m | grep -qx curl; } || apt_install php-cli php-curl || say "php could not be installed: no PHP client test"
    # Images can be built only where a process may have mounts of its own.
    if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
        { has buildah && has_program debootstrap; } || apt_install buildah debootstrap || say "no buildah, debootstrap: no image tests"
    fi
}

# A setting of the developer's shell must not change a check.
unset PYTHONPATH PYTHONHOME
# The folders in their order: the slow ones begin, so that no process waits at the end for what the other still has to do.
[ $# -gt 0 ] || set -- --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 15
ensure_tools
ensure_venv dev
run=.venv/bin/python
$run -m ruff check .
$run -m ruff format --check .
$run -m mypy
# What Python has on Linux alone must not be used on macOS.
$run -m mypy --platform darwin --cache-dir .mypy_cache/darwin
status=0
$run -m pytest "$@" || status=$?
# 1 says that tests failed. Red is what fails again, alone; what passes now is named as FLAKY, with what it printed.
if [ "$status" = 1 ]; then
    say "what failed runs once more, alone"
    status=0
    $run -m pytest "$@" --last-failed --numprocesses 0 -p tests.once_more -rA || status=$?
fi
exit "$status"
