"""The common frame of the parts: flags, corpus, time limit and record."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.contest import Contestant, ModelWork, Widths
from spinn.data.corpus import Corpus
from spinn.ops.loops import TorchLoops
from spinn.support.files import write_whole
from spinn.support.runtime import choose_device, set_threads


@dataclass
class Part:
    """A running part.

    Attributes
    ----------
    device
        The device to measure.
    corpus
        The prepared corpus; ``train`` contains parsed pairs.
    quick
        Whether this is a short run, as a check.
    ends
        The end of the time limit on the clock ``time.monotonic``.
    output
        The file of the record, rewritten after each result.
    arguments
        All flags.

    """

    device: torch.device
    corpus: Corpus
    quick: bool
    ends: float
    output: Path
    arguments: argparse.Namespace
    record: dict[str, Any] = field(default_factory=dict)

    def time_left(self, seconds: float = 0.0) -> bool:
        """Return whether more than ``seconds`` are left; if not, mark the record ``cut_short``."""
        enough = self.ends - time.monotonic() > seconds
        if not enough:
            self.record["cut_short"] = True
        return enough

    def keep(self, **results: Any) -> None:
        """Add results to the record and write it."""
        self.record |= results
        write_whole(self.output, json.dumps(self.record, indent=1) + "\n")

    def add(self, name: str, row: dict[str, Any]) -> None:
        """Add a row to a list of the record and write it."""
        self.keep(**{name: [*self.record.get(name, []), row]})


def model_work(part: Part, contestant: Contestant) -> ModelWork:
    """Return a whole model with random word vectors, fixed as in the published models."""
    widths = Widths()
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(len(part.corpus.vocabulary), widths.embedding, generator=generator)
    return ModelWork(contestant, widths, vectors, len(part.corpus.labels), part.device)


def plain_loops() -> AbstractContextManager[Any]:
    """Return a context in which new passes take the plain loops, not those in Triton."""
    return patch("spinn.ops.products.loops_for", lambda states, products: TorchLoops())


def run_part(
    main: Callable[[Part], None], add_flags: Callable[[argparse.ArgumentParser], None] | None = None
) -> None:
    """Run a part with the flags of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--quick", action="store_true")
    if add_flags is not None:
        add_flags(parser)
    arguments = parser.parse_args()
    ends = time.monotonic() + arguments.seconds
    set_threads(arguments.threads)
    # fp32 means full single precision here.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    part = Part(
        choose_device(arguments.device),
        Corpus.load(arguments.corpus),
        arguments.quick,
        ends,
        arguments.output,
        arguments,
    )
    main(part)
    part.keep()
