"""``spinn predict``: the label of a sentence pair, its probabilities, and both trees drawn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.errors import ConfigurationError, DataError
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.examples import Example, Sentence
    from spinn.training.checkpoint import TrainedModel
    from spinn.trees import TreeSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "sentences",
        nargs="*",
        metavar="SENTENCE",
        help="a premise and a hypothesis; without them, pairs are read from standard input, one a "
        "line, with a tab between. A sentence may be raw text or a bracketed binary tree",
    )
    parser.add_argument(
        "--trees", choices=tuple(TREE_SOURCES), help="follow these trees instead of the run's own"
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument("--json", action="store_true", help="print a JSON line for each pair")
    parser.add_argument("--ascii", action="store_true", help="draw trees in plain ASCII")


def run(namespace: argparse.Namespace) -> int:
    """Predict; return the exit status."""
    from spinn.evaluation.report import choose_source
    from spinn.runtime import set_threads
    from spinn.training.checkpoint import load_trained

    if len(namespace.sentences) not in (0, 2):
        raise ConfigurationError("Give a premise and a hypothesis, each in quotes, or neither.")
    set_threads(1)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    source = choose_source(trained, namespace.trees)
    for example in _examples(namespace.sentences):
        record = _predict(trained, source, example)
        print(
            json.dumps(record, ensure_ascii=False) if namespace.json else _draw(record, namespace)
        )
    return 0


def _examples(sentences: list[str]) -> Iterator[Example]:
    """Make pairs of the arguments, or of the lines of standard input."""
    from spinn.data.examples import Example
    from spinn.data.tokenizer import Tokenizer

    tokenizer = Tokenizer()
    if sentences:
        lines: Any = [(1, sentences)]
        place = "arguments"
    else:
        lines = (
            (number, line.rstrip("\n").split("\t")) for number, line in enumerate(sys.stdin, 1)
        )
        place = "standard input"
    for number, cells in lines:
        if cells == [""]:
            continue
        if len(cells) != 2:
            raise DataError(
                place,
                f"{len(cells)} fields where a premise and a hypothesis are wanted",
                line=number,
                remedy="Put one tab between the two",
            )
        premise, hypothesis = (_sentence(cell, tokenizer, place, number) for cell in cells)
        yield Example(premise, hypothesis, None, number)


def _sentence(text: str, tokenizer: Any, place: str, line: int) -> Sentence:
    """Read a sentence: a bracketed tree where it looks like one, raw text otherwise."""
    from spinn.data.examples import Sentence
    from spinn.transitions import TreeError, from_brackets

    if text.lstrip().startswith("( "):
        try:
            return Sentence(*from_brackets(text))
        except TreeError as error:
            raise DataError(place, str(error), line=line, remedy="Mend the brackets") from error
    words = tokenizer(text)
    if not words:
        raise DataError(place, "a sentence is empty", line=line, remedy="Give it some words")
    return Sentence(words)


def _predict(trained: TrainedModel, source: TreeSource | None, example: Example) -> dict[str, Any]:
    """Classify one pair."""
    from spinn.data.corpus import check_parses, numericalise
    from spinn.evaluation.evaluate import evaluate
    from spinn.evaluation.report import FileEvaluation, records

    if source is not None and source.needs_parse:
        check_parses([example], [Path("this sentence pair")])
    dataset = numericalise([example], trained.vocabulary, trained.labels)
    evaluation = evaluate(trained.model, dataset, trained.labels, source)
    record = next(records(FileEvaluation([example], evaluation, source, {}), trained.labels))
    return {name: value for name, value in record.items() if name not in ("id", "line", "gold")}


def _draw(record: dict[str, Any], namespace: argparse.Namespace) -> str:
    """Lay out a prediction for a person."""
    from spinn.evaluation.drawing import draw_tree
    from spinn.transitions import TreeError, from_brackets

    width = max(40, shutil.get_terminal_size().columns)
    probabilities = "  ".join(
        f"{name} {100 * p:.1f}%" for name, p in record["probabilities"].items()
    )
    parts = [f"{record['predicted']}   ({probabilities})"]
    for name in ("premise", "hypothesis"):
        try:
            words, transitions = from_brackets(record[name])
            drawing = draw_tree(words, transitions, width, ascii_only=namespace.ascii)
        except TreeError:  # an encoder without trees leaves the words alone
            drawing = record[name]
        parts.append(f"{name}:\n{drawing}")
    return "\n".join(parts) + "\n"
