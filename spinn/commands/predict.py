"""``spinn predict``: the label of a pair or a sentence, its probabilities, and its trees drawn."""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from spinn.commands.options import CHECKPOINT, at_least
from spinn.data.lines import check_text, decode
from spinn.support.errors import ConfigurationError, DataError, shorten
from spinn.support.streams import can_encode
from spinn.support.text import printable
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.examples import Example
    from spinn.prediction import Prediction
    from spinn.predictor import Predictor

logger = logging.getLogger(__name__)

_INPUT = "standard input"
_MARK = "\0"  # marks a sentence for the parser of arguments; no argument can contain it
_NAMED = 10  # unknown words that a warning names
_GIVE = {
    "sentence": "This model takes single sentences: give one, in quotes, or none.",
    "pair": "This model takes pairs: give a premise and a hypothesis, each in quotes, or neither.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "sentences",
        nargs="*",
        metavar="[RUN] [SENTENCE ...]",
        help="the folder of a run, and a premise and a hypothesis, or one sentence for a model of "
        "single sentences. Without sentences, standard input is read, one pair (with a tab "
        "between) or sentence a line. A sentence may be a bracketed binary tree or raw text, "
        "single ones with blanks between all words. Without a run, the model that comes with the "
        "package is used; a first argument with a blank in it is a sentence",
    )
    parser.add_argument(
        "--trees", choices=tuple(TREE_SOURCES), help="follow these trees instead of the run's own"
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help=CHECKPOINT)
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
    parser.add_argument(
        "--threads", type=at_least(0), default=1, metavar="N", help="0 for all cores (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each example")
    parser.add_argument("--ascii", action="store_true", help="draw trees in plain ASCII")


def parse_arguments(parser: argparse.ArgumentParser, given: list[str]) -> argparse.Namespace:
    """Parse the arguments of the command; flags may be anywhere among the sentences.

    An argument that begins with a dash and has blanks is a sentence, as are all after ``--``.
    """
    end = given.index("--") if "--" in given else len(given)
    marked = [_MARK + text if _is_text(text) else text for text in given[:end]]
    marked += [_MARK + text for text in given[end + 1 :]]
    namespace, unknown = parser.parse_known_intermixed_args(marked)
    if unknown:
        flags = [text for text in unknown if text.startswith("-")]
        parser.error(
            f"unrecognized arguments: {' '.join(flags)} (write -- before sentences that begin "
            "with a dash)"
        )
    texts = [text.removeprefix(_MARK) for text in namespace.sentences]
    has_run = bool(texts) and _is_run(texts[0])
    namespace.run = Path(texts[0]) if has_run else None
    namespace.sentences = texts[has_run:]
    return namespace


def _is_run(argument: str) -> bool:
    """Return whether the first argument names a run: without blanks, or a folder that exists."""
    return len(argument.split()) == 1 or (bool(argument.strip()) and os.path.isdir(argument))


def _is_text(argument: str) -> bool:
    is_flag = re.match(r"--[a-z-]+(=|$)", argument) is not None
    return argument.startswith("-") and not is_flag and len(argument.split()) > 1


def run(namespace: argparse.Namespace) -> int:
    """Predict; return the exit status."""
    from spinn.evaluation.drawing import SIGNS
    from spinn.predictor import Predictor
    from spinn.pretrained import SHIPPED
    from spinn.support.runtime import set_threads

    if not namespace.sentences and sys.stdin is None:
        raise ConfigurationError(
            "There is no standard input; give the sentences as arguments, or a file: < FILE."
        )
    set_threads(namespace.threads)
    interactive = sys.stdin is not None and sys.stdin.isatty()
    size = namespace.batch_size or (1 if interactive else 256)
    predictor = Predictor.load(
        namespace.run or SHIPPED,
        namespace.checkpoint,
        device=namespace.device,
        trees=namespace.trees,
        batch_size=size,
    )
    if len(namespace.sentences) not in (0, predictor.kind.count):
        raise ConfigurationError(_GIVE[predictor.kind.name])
    signs_fit = can_encode(sys.stdout, SIGNS)
    shown = _as_json if namespace.json else partial(_drawn, namespace.ascii or not signs_fit)
    unknown = _UnknownWords()
    try:
        for examples in _in_batches(_examples(namespace.sentences, predictor), size):
            for prediction in predictor.predict(examples, details=False):
                unknown.add(prediction)
                print(shown(prediction))
            sys.stdout.flush()
    finally:
        unknown.warn()
    return 0


def _examples(sentences: list[str], predictor: Predictor) -> Iterator[Example]:
    """Read the example given as arguments, or one from each line of standard input."""
    if sentences:
        yield predictor.read(list(map(_as_utf8, sentences)), "arguments")
        return
    for number, text in _lines(sys.stdin):
        yield predictor.read(text.split("\t"), _INPUT, number)


def _as_utf8(argument: str) -> str:
    """Decode an argument that Python could not decode in the encoding of the system."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        return argument


def _lines(stream: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the lines of standard input, in UTF-8 whatever the encoding of the system is.

    On a terminal, blank lines are skipped. Elsewhere each line must have an answer, so a blank line
    before others is an error.
    """
    blank = None
    for number, line in enumerate(getattr(stream, "buffer", stream), start=1):
        if number == 1 and not isinstance(line, str):
            check_text(Path(_INPUT), line)
        text = line if isinstance(line, str) else decode(Path(_INPUT), number, line)
        text = text.rstrip("\r\n")
        if number == 1:
            text = text.removeprefix("\ufeff")
        if not text:
            blank = blank or number
            continue
        if blank is not None and not stream.isatty():
            raise DataError(_INPUT, "the line is blank", line=blank, remedy="Remove it")
        yield number, text


class _UnknownWords:
    """Count the words that a model does not know, for one warning at the end."""

    def __init__(self) -> None:
        self._first: dict[str, None] = {}  # those to name, and one more
        self._count = self._total = 0

    def add(self, prediction: Prediction) -> None:
        words = [word for sentence in prediction.sentences for word in sentence.words]
        self._total += len(words)
        unknown = set(prediction.unknown)
        self._count += sum(word in unknown for word in words)
        if len(self._first) <= _NAMED:
            self._first |= dict.fromkeys(prediction.unknown)

    def warn(self) -> None:
        if self._count:
            named = list(map(shorten, self._first))
            shown = ", ".join(named[:_NAMED]) + (", ..." if len(named) > _NAMED else "")
            count = f"{self._count:,} of {self._total:,} words"
            logger.warning(f"Unknown to the model: {count} ({shown}).")


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
    from spinn.support.files import as_json

    record = prediction.as_dict()
    text = as_json(record, ensure_ascii=False)
    return text if can_encode(sys.stdout, text) else as_json(record)


def _drawn(ascii_only: bool, prediction: Prediction) -> str:
    """Return a prediction as text, with its trees drawn."""
    from spinn.data.examples import kind_with
    from spinn.prediction import Tree

    width = max(40, shutil.get_terminal_size().columns)
    probabilities = "  ".join(
        f"{printable(name)} {100 * p:.1f}%" for name, p in prediction.probabilities.items()
    )
    parts = [f"{printable(prediction.label)}   ({probabilities})"]
    roles = kind_with(len(prediction.sentences)).roles
    for role, sentence in zip(roles, prediction.sentences, strict=True):
        drawing = printable(" ".join(sentence.words))
        if isinstance(sentence, Tree):
            drawing = sentence.draw(width, ascii_only=ascii_only)
        parts.append(f"{role}:\n{drawing}")
    return "\n".join(parts) + "\n"
