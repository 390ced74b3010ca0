#!/bin/sh
# The same texts by the same model on the processor and on a card: documents a second, agreement, share of the card's peak.
#
#   benches/gpu/embed.sh target/release/limpid MODEL_FOLDER TEXTS.parquet [ROWS [MORE_OF_embed.py]]
#
# MODEL_FOLDER holds model.onnx (32 or 16-bit floats; a model quantised to 8 bits gains nothing on a card), tokenizer.json and model.toml.
# Needs a card, its driver, and Python with numpy, pyarrow and onnxruntime-gpu (onnx and tokenizers for the share of the peak). Where something is missing
# it says what, and ends with 0.
set -eu
limpid=$1 model=$2 texts=$3 rows=${4:-20000}
[ $# -lt 4 ] && shift 3 || shift 4
skip() { echo "skipped: $1"; exit 0; }
command -v nvidia-smi >/dev/null 2>&1 || skip "there is no nvidia-smi, so no NVIDIA card with a driver"
card=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1) || card=
[ -n "$card" ] || skip "nvidia-smi finds no card"
python=${PYTHON:-python3}
"$python" -c 'import numpy, pyarrow' 2>/dev/null || skip "Python lacks numpy or pyarrow"
found=$("$python" -c 'import pathlib, onnxruntime as o; print(next(pathlib.Path(o.__file__).parent.glob("capi/libonnxruntime.so*")) if "CUDAExecutionProvider" in o.get_available_providers() else "")' 2>/dev/null) || found=
library=${ORT_DYLIB_PATH:-$found}
[ -n "$library" ] || skip "Python's onnxruntime has no CUDA (pip install onnxruntime-gpu), and ORT_DYLIB_PATH names no library"
ORT_DYLIB_PATH=$library exec "$python" "$(dirname "$0")/embed.py" --limpid "$limpid" --model "$model" --texts "$texts" --rows "$rows" --card "$card" "$@"
