#!/usr/bin/env bash
# Make the model that comes with the package, in about an hour of one core:
#
#     benchmarks/shipped_model.sh FOLDER PIPELINE VECTORS DEV TRAIN [TRAIN ...]
#
# PIPELINE is an installed spaCy pipeline or its folder; VECTORS are GloVe's of 100 dimensions; DEV
# and TRAIN are files of SNLI, with or without parses. FOLDER/model is the result, to be moved to
# spinn/shipped/snli-79k. An interrupted training continues when the command is repeated.
set -euo pipefail
if [ $# -lt 5 ]; then
    sed -n '2,8p' "$0" >&2
    exit 2
fi
folder=$1 pipeline=$2 vectors=$3 dev=$4
shift 4
if [ ! -d "$folder/corpus" ]; then
    spinn prepare "$folder/corpus" --train "$@" --dev "$dev" --parser "spacy:$pipeline" \
        --vectors "$vectors" --induce-vectors --no-cache
fi
if [ -d "$folder/run" ]; then
    spinn train --resume "$folder/run"
else
    spinn train --preset snli-79k --data "$folder/corpus" --no-cache --threads 1 --seed 1 \
        --checkpoint-steps 300 --output "$folder/run"
fi
python3 -m benchmarks.finish_model "$folder"
