"""``spinn predict``: the label of a pair or a sentence, its probabilities, and its trees drawn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinn.errors import ConfigurationError, DataError
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.examples import Example, ExampleKind, Sentence
    from spinn.training.checkpoint import TrainedModel
    from spinn.trees import TreeSource


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
    parser.add_argument("--json", action="store_true", help="print a JSON line an example")
    parser.add_argument("--ascii", action="store_true", help="draw trees in plain ASCII")


def run(namespace: argparse.Namespace) -> int:
    """Predict; return the exit status."""
    from spinn.evaluation.report import choose_source
    from spinn.runtime import set_threads
    from spinn.training.checkpoint import load_trained

    set_threads(1)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    if len(namespace.sentences) not in (0, trained.kind.count):
        raise ConfigurationError(_GIVE[trained.kind.name])
    source = choose_source(trained, namespace.trees)
    rewrite = None if trained.file_format is None else trained.file_format.rewrite
    for example in _examples(namespace.sentences, trained.kind, rewrite):
        record = _predict(trained, source, example)
        if namespace.json:
            print(json.dumps(record, ensure_ascii=False))
        else:
            print(_draw(record, trained.kind.roles, namespace))
    return 0


_GIVE = {
    "sentence": "This model takes single sentences: give one, in quotes, or none.",
    "pair": "This model takes pairs: give a premise and a hypothesis, each in quotes, or neither.",
}


def _examples(
    sentences: list[str], kind: ExampleKind, rewrite: Callable[[str], str] | None
) -> Iterator[Example]:
    """Make examples of the arguments, or of the lines of standard input."""
    from spinn.data.examples import PAIR, Example
    from spinn.data.tokenizer import Tokenizer

    # Single sentences are expressions, whose words stand between blanks.
    tokenizer = Tokenizer() if kind == PAIR else str.split
    if sentences:
        lines: Any = [(1, sentences)]
        place = "arguments"
    else:
        numbered = ((number, line.rstrip("\n")) for number, line in enumerate(_standard_input(), 1))
        lines = ((number, line.split("\t")) for number, line in numbered if line)
        place = "standard input"
    for number, cells in lines:
        if len(cells) != kind.count:
            wanted, remedy = _LINE[kind.name]
            cause = f"{len(cells)} fields where {wanted} wanted"
            raise DataError(place, cause, line=number, remedy=remedy)
        premise, *others = (_sentence(cell, tokenizer, rewrite, place, number) for cell in cells)
        yield Example(premise, others[0] if others else None, None, number)


def _standard_input() -> Iterator[str]:
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        remedy = "Write it in UTF-8"
        raise DataError("standard input", f"it is no text ({error})", remedy=remedy) from error


_LINE = {
    "sentence": ("one sentence is", "Write one sentence a line, without tabs"),
    "pair": ("a premise and a hypothesis are", "Put one tab between the two"),
}


def _sentence(
    text: str, tokenizer: Any, rewrite: Callable[[str], str] | None, place: str, line: int
) -> Sentence:
    """Read a sentence: a bracketed tree where it looks like one, raw text otherwise."""
    from spinn.data.examples import Sentence
    from spinn.transitions import TreeError, from_brackets

    words = tokenizer(text)
    if text.lstrip().startswith("( ") or "(" in words or ")" in words:
        try:
            return Sentence(*from_brackets(text if rewrite is None else rewrite(text)))
        except TreeError as error:
            raise DataError(place, str(error), line=line, remedy="Mend the brackets") from error
    if not words:
        raise DataError(place, "a sentence is empty", line=line, remedy="Give it some words")
    return Sentence(words)


def _predict(trained: TrainedModel, source: TreeSource | None, example: Example) -> dict[str, Any]:
    """Classify one example."""
    from spinn.data.dataset import numericalise
    from spinn.data.readers import check_parses
    from spinn.evaluation.evaluate import evaluate
    from spinn.evaluation.report import FileEvaluation, records

    if source is not None and source.needs_parse:
        check_parses([example], [Path("this input")])
    dataset = numericalise([example], trained.vocabulary, trained.labels, trained.kind)
    evaluation = evaluate(
        trained.model,
        dataset,
        trained.labels,
        source,
        seed=trained.configuration.training.seed,
    )
    record = next(records(FileEvaluation([example], evaluation, source, {}), trained.labels))
    return {name: value for name, value in record.items() if name not in ("id", "line", "gold")}


def _draw(record: dict[str, Any], roles: tuple[str, ...], namespace: argparse.Namespace) -> str:
    """Lay out a prediction for a person."""
    from spinn.evaluation.drawing import draw_tree
    from spinn.transitions import TreeError, from_brackets

    width = max(40, shutil.get_terminal_size().columns)
    probabilities = "  ".join(
        f"{name} {100 * p:.1f}%" for name, p in record["probabilities"].items()
    )
    parts = [f"{record['predicted']}   ({probabilities})"]
    for name in roles:
        try:
            words, transitions = from_brackets(record[name])
            drawing = draw_tree(words, transitions, width, ascii_only=namespace.ascii)
        except TreeError:  # an encoder without trees leaves the words alone
            drawing = record[name]
        parts.append(f"{name}:\n{drawing}")
    return "\n".join(parts) + "\n"
