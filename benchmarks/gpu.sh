#!/usr/bin/env bash
# Prove and measure everything on a GPU, in at most 8 minutes:
#
#     benchmarks/gpu.sh FOLDER [flags of python -m benchmarks.gpu]
#
# FOLDER is made by `spinn prepare`. Of other packages only torch, numpy, safetensors, filelock,
# tqdm, tensorboard, matplotlib, pytest and hypothesis are needed. With --dry-run before FOLDER, the
# same program runs on the processor, in a fresh environment that has these packages and no others.
set -euo pipefail
cd "$(dirname "$0")/.."
python=python3
flags=()
if [ "${1:-}" = --dry-run ]; then
    shift
    base=python3
    python3.12 --version > /dev/null 2>&1 && base=python3.12
    environment=$(mktemp -d)
    trap 'rm -rf "$environment"' EXIT
    "$base" -m venv "$environment"
    python="$environment/bin/python"
    "$python" -m pip install --quiet "torch==2.11.*" numpy safetensors filelock tqdm tensorboard \
        matplotlib pytest hypothesis
    flags=(--device cpu --quick --threads 1 --output "$environment")
fi
if [ $# -eq 0 ]; then
    echo "usage: benchmarks/gpu.sh [--dry-run] FOLDER [flags]" >&2
    exit 2
fi
corpus=$1
shift
"$python" -m benchmarks.gpu --corpus "$corpus" "${flags[@]}" "$@"
