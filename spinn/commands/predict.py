"""``spinn predict``: the label of a pair or a sentence, its probabilities, and its trees drawn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spinn.commands.options import at_least
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.text import printable
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.examples import Example
    from spinn.prediction import Prediction
    from spinn.predictor import Predictor

_INPUT = "standard input"
_GIVE = {
    "sentence": "This model takes single sentences: give one, in quotes, or none.",
    "pair": "This model takes pairs: give a premise and a hypothesis, each in quotes, or neither.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "sentences",
        nargs="*",
        metavar="SENTENCE",
        help="a premise and a hypothesis, or one sentence for a model of single sentences; without "
        "them, standard input is read, one pair (with a tab between) or sentence a line. A "
        "sentence may be a bracketed binary tree or raw text, single ones with blanks between "
        "all words",
    )
    parser.add_argument(
        "--trees", choices=tuple(TREE_SOURCES), help="follow these trees instead of the run's own"
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        metavar="N",
        help="lines of standard input that are read before they are answered (default: 256, but 1 "
        "on a terminal)",
    )
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: cpu)"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each example")
    parser.add_argument("--ascii", action="store_true", help="draw trees in plain ASCII")


def run(namespace: argparse.Namespace) -> int:
    """Predict; return the exit status."""
    from spinn.predictor import Predictor
    from spinn.support.runtime import set_threads

    set_threads(1)
    size = namespace.batch_size or (1 if sys.stdin.isatty() else 256)
    predictor = Predictor.load(
        namespace.run_directory,
        namespace.checkpoint,
        device=namespace.device,
        trees=namespace.trees,
        batch_size=size,
    )
    if len(namespace.sentences) not in (0, predictor.kind.count):
        raise ConfigurationError(_GIVE[predictor.kind.name])
    for examples in _in_batches(_examples(namespace.sentences, predictor), size):
        for prediction in predictor.predict(examples):
            print(_as_json(prediction) if namespace.json else _drawn(prediction, namespace.ascii))
        sys.stdout.flush()
    return 0


def _examples(sentences: list[str], predictor: Predictor) -> Iterator[Example]:
    """Read the example given as arguments, or one from each line of standard input."""
    if sentences:
        yield predictor.read(sentences, "arguments")
        return
    for number, line in enumerate(_standard_input(), start=1):
        text = line.rstrip("\n")
        if text:
            yield predictor.read(text.split("\t"), _INPUT, number)


def _standard_input() -> Iterator[str]:
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        remedy = "Write it in UTF-8"
        raise DataError(_INPUT, f"it is no text ({error})", remedy=remedy) from error


def _in_batches(examples: Iterator[Example], size: int) -> Iterator[list[Example]]:
    """Yield lists of up to ``size`` examples; those before an example with an error come first."""
    batch: list[Example] = []
    try:
        for example in examples:
            batch.append(example)
            if len(batch) == size:
                yield batch
                batch = []
    except DataError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _as_json(prediction: Prediction) -> str:
    from spinn.evaluation.records import prediction_record

    record = prediction_record(prediction.label, prediction.probabilities, prediction.sentences)
    return json.dumps(record, ensure_ascii=False)


def _drawn(prediction: Prediction, ascii_only: bool) -> str:
    """Return a prediction as text, with its trees drawn."""
    from spinn.data.examples import kind_with
    from spinn.evaluation.drawing import draw_tree

    width = max(40, shutil.get_terminal_size().columns)
    probabilities = "  ".join(
        f"{printable(name)} {100 * p:.1f}%" for name, p in prediction.probabilities.items()
    )
    parts = [f"{printable(prediction.label)}   ({probabilities})"]
    roles = kind_with(len(prediction.sentences)).roles
    for role, (words, transitions) in zip(roles, prediction.sentences, strict=True):
        drawing = printable(" ".join(words))
        if transitions is not None:
            drawing = draw_tree(words, transitions, width, ascii_only=ascii_only)
        parts.append(f"{role}:\n{drawing}")
    return "\n".join(parts) + "\n"
