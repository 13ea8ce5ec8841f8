#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The HTTP service, from the source tree, on the Python package and the installed library. PALI_PYTHON names the
# interpreter; the tests with OpenAI's client are skipped, and said so, where the package openai is missing.
set -eu
case ${PALI_SANITIZE:-} in
*thread*)
    echo "bindings.server: not with the thread sanitizer: the interpreter's own threads and locks are unknown to it"
    exit 77
    ;;
esac
python=
for candidate in ${PALI_PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'import numpy, starlette, uvicorn, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "bindings.server: no python3 with numpy, starlette and uvicorn (apt-get install python3-numpy python3-starlette python3-uvicorn)"
    exit 77
fi
# Where CI has put what Debian lacks.
PYTHONPATH=$PALI_SOURCE/examples/server:$PALI_SOURCE/examples/python${PALI_OPENAI:+:$PALI_OPENAI}
PALIGEMMA_LIBRARY=$LD_LIBRARY_PATH
export PYTHONPATH PALIGEMMA_LIBRARY PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
"$python" -c 'import openai' 2>/dev/null ||
    echo "bindings.server: SKIPPED: the tests with OpenAI's client (pip install openai; PALI_OPENAI names its --target)"
if [ -n "${PALI_SANITIZE:-}" ]; then
    # The interpreter is not sanitized: the runtime must come first, and its own leaks at exit are not ours.
    compiler=${CC:-cc}
    LD_PRELOAD=$("$compiler" -print-file-name=libasan.so):$("$compiler" -print-file-name=libstdc++.so.6)
    export LD_PRELOAD ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
fi
cd "$PALI_TEST_SCRATCH"
exec "$python" -m unittest discover -s "$PALI_SOURCE/examples/server/tests" -t "$PALI_SOURCE/examples/server/tests" \
    ${PALI_SERVER_TESTS:-}
