#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The Python package: installed by pip without a network, then its own tests (unittest) against the installed library.
set -eu
case ${PALI_SANITIZE:-} in
*thread*)
    echo "bindings.python: not with the thread sanitizer: the interpreter's own threads and locks are unknown to it"
    exit 77
    ;;
esac
python=
for candidate in ${PALI_PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'import setuptools, pip, numpy, PIL, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "bindings.python: no python3 with numpy, PIL, pip and setuptools (apt-get install python3-numpy python3-pil python3-pip)"
    exit 77
fi
scratch=$PALI_TEST_SCRATCH/python
rm -rf "$scratch"
mkdir -p "$scratch/source"
# pip builds inside the source folder: a copy, so that nothing is written into the repository.
cp -R "$PALI_SOURCE/examples/python/pyproject.toml" "$PALI_SOURCE/examples/python/README.md" \
    "$PALI_SOURCE/examples/python/paligemma" "$scratch/source/"
find "$scratch/source" -name __pycache__ -prune -exec rm -rf {} +
"$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-index --no-deps --no-compile \
    --target "$scratch/site" "$scratch/source" 2>"$scratch/pip.log" || {
    cat "$scratch/pip.log"
    exit 1
}
export PYTHONPATH="$scratch/site" PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
if [ -n "${PALI_SANITIZE:-}" ]; then
    # The interpreter is not sanitized: the runtime must come first, and its own leaks at exit are not ours.
    compiler=${CC:-cc}
    LD_PRELOAD=$("$compiler" -print-file-name=libasan.so):$("$compiler" -print-file-name=libstdc++.so.6)
    export LD_PRELOAD ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
fi
cd "$scratch"
exec "$python" -W error::ResourceWarning -m unittest discover -v -s "$PALI_SOURCE/examples/python/tests" -t "$PALI_SOURCE/examples/python/tests" ${PALI_PYTHON_TESTS:-}
