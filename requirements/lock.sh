#!/bin/sh
# Make the locks again from pyproject.toml: exact versions with hashes, for every platform. Wants uv (pip install uv).
# `requirements/lock.sh --upgrade` takes the newest versions, without it only what must change does.
# `dlib` is left out everywhere: dlib-bin is the same module without a compiler; so install the locks with --no-deps.
set -eu
cd "$(dirname "$0")/.."
upgrade=${1:-}

lock() {
    name=$1
    shift
    options=""
    for extra in "$@"; do
        options="$options --extra $extra"
    done
    # The others hold the versions that the tests ran with.
    if [ "$name" = dev ]; then
        options="$options $upgrade"
    else
        options="$options --constraint requirements/dev.lock"
    fi
    # shellcheck disable=SC2086 # the options are words
    uv pip compile pyproject.toml $options --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --override requirements/overrides.txt --quiet --output-file "requirements/$name.lock"
    echo "requirements/$name.lock: $(grep -c '^[a-z].*==' "requirements/$name.lock") packages"
}

lock dev rest worker s3 cli bench dev
lock local rest worker s3 cli
lock rest rest s3
lock worker worker s3 cli
uv pip compile requirements/build.in --python-version 3.11 --universal --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --constraint requirements/dev.lock --quiet --output-file requirements/build.lock
