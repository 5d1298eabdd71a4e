"""What a machine can do at best, and the least that a model asks of it.

The ceilings are measured: one large matrix product and one large copy. The work of a form is
counted from its equations, each composition of each tree once; what an implementation shares or
does twice is not in it. A share of a ceiling is the time the work would take at that ceiling over
the time it took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.common import alternate
from benchmarks.contest import Widths
from spinn.data.dataset import PairDataset
from spinn.support.runtime import arithmetic

CLASSIFIER_WIDTH = 512  # the default of ``--classifier-width``, with two hidden layers
BACKWARDS = 2  # a product has two gradients, each a product of the same size


@dataclass(frozen=True)
class Ceilings:
    """The rates of a device.

    Attributes
    ----------
    products
        Operations a second of a large matrix product, by precision.
    copy
        Bytes read and written a second by a large copy.

    """

    products: dict[str, float]
    copy: float

    def as_dict(self) -> dict[str, Any]:
        """Describe them for JSON, in TFLOP/s and GB/s."""
        return {
            "tflops": {name: round(rate / 1e12, 3) for name, rate in self.products.items()},
            "copy_gb_per_second": round(self.copy / 1e9, 1),
        }


@dataclass(frozen=True)
class Work:
    """Operations of the matrix products, and bytes of states read and written."""

    operations: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        """Do both."""
        return Work(self.operations + other.operations, self.bytes + other.bytes)

    def times(self, factor: float) -> Work:
        """Do it several times."""
        return Work(self.operations * factor, self.bytes * factor)


def measure_ceilings(
    device: torch.device, *, quick: bool = False, precisions: tuple[str, ...] = ("fp32", "bf16")
) -> Ceilings:
    """Time a large matrix product in each precision, and a large copy, on random numbers."""
    operations, product = large_product(device, quick=quick)
    source = torch.randn(2**29 if device.type == "cuda" else 2**22, device=device)
    target = torch.empty_like(source)
    turns = {name: partial(product, name) for name in precisions}
    taken = alternate(turns, rounds=3 if quick else 7, warmups=2, device=device)
    copied = alternate({"copy": lambda: target.copy_(source)}, rounds=7, warmups=2, device=device)
    moved = 2 * source.numel() * source.element_size()
    return Ceilings(
        {name: operations / taken[name].median for name in precisions},
        moved / copied["copy"].median,
    )


def large_product(device: torch.device, *, quick: bool) -> tuple[int, Callable[[str], None]]:
    """Return a large product of random numbers: its operations, and what computes it."""
    size = 8192 if device.type == "cuda" else 512 if quick else 2048
    generator = torch.Generator(device).manual_seed(1)
    left, right = torch.randn(2, size, size, device=device, generator=generator)

    def product(precision: str) -> None:
        with arithmetic(device, precision):
            torch.mm(left, right)

    return 2 * size**3, product


def encoder_work(form: str, widths: Widths, dataset: PairDataset) -> Work:
    """Count an encoder's forward pass over a set: one pass, each tree once."""
    hidden, lengths = widths.hidden, dataset.lengths
    words = int(lengths.sum())
    if form == "LSTM":
        return Work(words * 2 * (2 * hidden) * 4 * hidden, 4 * words * 4 * hidden)
    tracker = 0 if form == "SPINN-PI-NT" else widths.tracker
    compositions = words - len(lengths)
    operations = compositions * 2 * (2 * hidden + tracker) * 5 * hidden
    states = compositions * (4 * hidden + tracker + 2 * hidden)  # two children in, a parent out
    if tracker:
        steps = 2 * words - len(lengths)
        operations += steps * 2 * (3 * hidden + tracker) * 4 * tracker
        states += steps * (3 * hidden + 4 * tracker)
    return Work(operations, 4 * states)


def model_work(form: str, widths: Widths, dataset: PairDataset, labels: int) -> Work:
    """Count a whole model's forward pass: leaves, encoder and classifier."""
    words, pairs = int(dataset.lengths.sum()), len(dataset)
    leaf = widths.hidden if form == "LSTM" else 2 * widths.hidden
    features, width = 4 * widths.hidden, CLASSIFIER_WIDTH
    operations = words * 2 * widths.embedding * leaf
    operations += pairs * 2 * (features * width + width * width + width * labels)
    states = words * (widths.embedding + leaf) + pairs * (features + 2 * width + labels)
    return encoder_work(form, widths, dataset) + Work(operations, 4 * states)


def of_training(work: Work) -> Work:
    """Add the backward pass to a forward pass."""
    return work.times(1 + BACKWARDS)


def shares(work: Work, seconds: float, ceilings: Ceilings, precision: str) -> dict[str, float]:
    """Return the shares of both ceilings that work done in these seconds comes to."""
    return {
        "of_products": round(work.operations / ceilings.products[precision] / seconds, 5),
        "of_copy": round(work.bytes / ceilings.copy / seconds, 5),
    }
