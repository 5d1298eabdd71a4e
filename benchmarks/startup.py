"""Start-up time of a run by stage: ``python -m benchmarks.startup CORPUS``.

Import the modules of a training run, load a prepared corpus, build the first batch, and print the
seconds of each stage as JSON. ``benchmarks/loading.py`` runs this in a new process. Imports are
inside functions because they are timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("import torch", "import spinn", "load the corpus", "build the first batch")


def first_batch(corpus: Any) -> None:
    """Build a batch of the training set for a model without tracker."""
    from spinn.data.batching import Batcher
    from spinn.trees import tree_source

    batcher = Batcher(
        corpus.sets["train"], tree_source("gold"), batch_size=128, seed=1, by_height=True
    )
    next(batcher.batches())


def import_torch() -> None:
    """Import torch."""
    import torch  # noqa: F401


def import_spinn() -> None:
    """Import the modules of a training run."""
    import spinn.training.run  # noqa: F401


def load(folder: Path) -> Any:
    """Load a prepared corpus."""
    from spinn.data.corpus import Corpus

    return Corpus.load(folder)


def timed(stage: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Run a stage; return its result and its duration in seconds."""
    start = time.perf_counter()
    result = stage(*arguments)
    return result, time.perf_counter() - start


def main() -> None:
    """Run all stages and print their durations."""
    _, torch_seconds = timed(import_torch)
    _, spinn_seconds = timed(import_spinn)
    corpus, load_seconds = timed(load, Path(sys.argv[1]))
    _, batch_seconds = timed(first_batch, corpus)
    seconds = (torch_seconds, spinn_seconds, load_seconds, batch_seconds)
    print(json.dumps(dict(zip(STAGES, seconds, strict=True))))


if __name__ == "__main__":
    main()
