"""Make a model to ship of a trained run: ``python -m benchmarks.finish_model FOLDER``.

The statistics of its batch normalisation are recomputed with the final weights, the weights are
rounded to bfloat16, and the rounded model is scored on the development set. FOLDER has the run and
its corpus, as ``benchmarks/shipped_model.sh`` makes them; the result is FOLDER/model.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from spinn.data.corpus import Corpus
from spinn.evaluation.evaluate import evaluate_trained
from spinn.evaluation.scores import all_scores
from spinn.evaluation.tree_scores import Conventions
from spinn.model.norm import recomputed_statistics
from spinn.model_card import model_card
from spinn.pretrained import SHIPPED, load_trained, save_trained
from spinn.support.files import as_json, write_whole

PAIRS = 12_000  # of the training set, for the statistics
LICENSE = "cc-by-sa-4.0"  # that of SNLI


def main(folder: Path) -> None:
    """Finish the run in a folder."""
    trained = load_trained(folder / "run")
    source = trained.tree_source()
    corpus = Corpus.load(folder / "corpus")
    train, dev = corpus.sets["train"], corpus.sets["dev"]
    rows = np.random.default_rng(0).permutation(len(train))[:PAIRS]
    with recomputed_statistics(trained.model):
        evaluate_trained(trained, train.take(rows), source)
    configuration = trained.configuration.moved({"data": SHIPPED, "threads": 0})
    trained = dataclasses.replace(trained, configuration=configuration, results=None)
    with tempfile.TemporaryDirectory() as scratch:
        save_trained(trained, Path(scratch, "rounded"), dtype=torch.bfloat16)
        rounded = load_trained(Path(scratch, "rounded"))
        scores = all_scores(evaluate_trained(rounded, dev, source), dev, source, Conventions())
        results = Path(scratch, "results.json")
        write_whole(results, as_json({"form": configuration.form, "dev": scores}, indent=2))
        scored = dataclasses.replace(trained, results=results)
        card = model_card(scored, SHIPPED, license=LICENSE)
        save_trained(scored, folder / "model", dtype=torch.bfloat16, card=card)
    print(f"accuracy {scores['accuracy']:.4f}, F1 {scores['trees']['gold']['f1']:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
