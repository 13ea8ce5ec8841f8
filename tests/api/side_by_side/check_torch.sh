#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_torch.sh COMMAND LIBRARY: the library and PyTorch in one process, whichever is loaded first. PALI_TORCH_PYTHON
# names a Python that has torch; without it python3 is asked.
set -eu
command=$1 library=$2
here=$(dirname "$0")
examples=${PALI_TEST_EXAMPLES:?} scratch=${PALI_TEST_SCRATCH:?}
python=${PALI_TORCH_PYTHON:-python3}
skip() { echo "SKIPPED: $1"; exit 77; }

[ -z "${PALI_SANITIZE-}" ] || skip "a Python built without sanitizers cannot load a sanitized library"
command -v "$python" >/dev/null 2>&1 || skip "$python is not installed"
"$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' ||
    skip "$python has no torch (PALI_TORCH_PYTHON may name one that has)"
model=$examples/tiny/model picture=$examples/pictures/shapes.png

"$command" generate -m "$model" -i "$picture" -p "caption en" --max-new-tokens 60 --json >"$scratch/answer.json"
for first in torch paligemma; do
    "$python" "$here/beside_torch.py" "$first" "$library" "$model" "$picture" "$scratch/answer.json"
done
