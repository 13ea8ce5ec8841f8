#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_exchange.sh PALIGEMMA DATA SCRATCH: check_quantized.py with the Python that PALI_TEST_PYTHON names (python3), which
# skips, with status 77, where it lacks a package.
set -eu
python=${PALI_TEST_PYTHON:-python3}
command -v "$python" >/dev/null || { echo "SKIPPED: the exchange with compressed-tensors needs Python"; exit 77; }
mkdir -p "$3"
exec "$python" "$(dirname "$0")/check_quantized.py" "$1" "$2" "$3"
