#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Batches with Ray, from the source tree, on the Python package and the installed library. PALI_PYTHON names the
# interpreter, PALI_RAY a folder that has Ray (pip install --target).
set -eu
export PYTHONPATH="$PALI_SOURCE/examples/ray:$PALI_SOURCE/examples/python${PALI_RAY:+:$PALI_RAY}"
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0
python=
for candidate in ${PALI_PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'from importlib.util import find_spec as f; import sys, numpy
sys.exit(not (f("ray") and f("pyarrow")) or sys.version_info < (3, 9))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "bindings.ray: no python3 with numpy, ray and pyarrow (pip install 'ray[data]'; PALI_RAY names its --target)"
    exit 77
fi
export PALIGEMMA_LIBRARY="$LD_LIBRARY_PATH"
if [ -n "${PALI_SANITIZE:-}" ]; then
    case $PALI_SANITIZE in
    *thread*)
        echo "bindings.ray: not with the thread sanitizer: workers are processes, with one thread each"
        exit 77
        ;;
    esac
    # The interpreter is not sanitized: the runtime must come first, and its own leaks at exit are not ours. The tests
    # hand it to Ray's workers, not to Ray's own programs.
    compiler=${CC:-cc}
    LD_PRELOAD=$("$compiler" -print-file-name=libasan.so):$("$compiler" -print-file-name=libstdc++.so.6)
    export LD_PRELOAD ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=16:${ASAN_OPTIONS:-}"
fi
cd "$PALI_TEST_SCRATCH"
exec "$python" -m unittest discover -v -s "$PALI_SOURCE/examples/ray/tests" -t "$PALI_SOURCE/examples/ray/tests" \
    ${PALI_RAY_TESTS:-}
