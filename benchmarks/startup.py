"""The start of a run, stage by stage: ``python -m benchmarks.startup CORPUS``.

Imports what a training run imports, loads a prepared corpus and cuts the first batch, and prints
the seconds of each stage as JSON. It must be a new process, so ``benchmarks/loading.py`` starts it;
its imports stand where they are timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("import torch", "import spinn", "load the corpus", "cut the first batch")


def first_batch(corpus: Any) -> None:
    """Cut a batch of the training set as a run without tracker does."""
    from spinn.data.batching import Batcher
    from spinn.trees import tree_source

    batcher = Batcher(
        corpus.sets["train"], tree_source("gold"), batch_size=128, seed=1, by_height=True
    )
    next(batcher.batches())


def import_torch() -> None:
    """Import torch, which everything waits for."""
    import torch  # noqa: F401


def import_spinn() -> None:
    """Import what a training run imports."""
    import spinn.training.run  # noqa: F401


def load(folder: Path) -> Any:
    """Load a prepared corpus."""
    from spinn.data.corpus import Corpus

    return Corpus.load(folder)


def timed(stage: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Run a stage; return its result and its seconds."""
    begun = time.perf_counter()
    result = stage(*arguments)
    return result, time.perf_counter() - begun


def main() -> None:
    """Go through the stages."""
    _, torch_seconds = timed(import_torch)
    _, spinn_seconds = timed(import_spinn)
    corpus, load_seconds = timed(load, Path(sys.argv[1]))
    _, batch_seconds = timed(first_batch, corpus)
    seconds = (torch_seconds, spinn_seconds, load_seconds, batch_seconds)
    print(json.dumps(dict(zip(STAGES, seconds, strict=True))))


if __name__ == "__main__":
    main()
