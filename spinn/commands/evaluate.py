"""``spinn evaluate``: scores of a trained model on a data set."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinn.commands.options import add_reading, at_least, given_naming
from spinn.data.spacy_parser import named_parser
from spinn.support.text import did_you_mean
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.formats import Naming
    from spinn.data.options import CorpusOptions
    from spinn.evaluation.brackets import BracketFiles
    from spinn.evaluation.evaluate_files import EvaluatedPart

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "--data", metavar="NAME", help="snli, multinli, sample or a folder (default: the run's own)"
    )
    parser.add_argument("--files", nargs="+", type=Path, metavar="FILE", help="files, instead")
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="train, dev, test or a further test set of the run's own (default: dev)",
    )
    add_reading(parser)
    parser.add_argument(
        "--trees", choices=tuple(TREE_SOURCES), help="follow these trees instead of the run's own"
    )
    parser.add_argument(
        "--parser",
        metavar="NAME",
        help="spacy (or spacy:PIPELINE) for sentences without a tree, where the model follows the "
        "parser's trees (default: the run's own, or en_core_web_sm)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write a JSON line for each example: labels, trees",
    )
    parser.add_argument(
        "--brackets",
        type=Path,
        metavar="FOLDER",
        help="write the parser's trees and the model's to gold.txt and predicted.txt, for evalb",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument(
        "--punctuation",
        choices=("keep", "drop"),
        default="keep",
        help="in parse F1 (default: keep)",
    )
    parser.add_argument(
        "--average",
        choices=("sentence", "corpus"),
        default="sentence",
        help="of parse F1: over sentences, or over all spans together (default: sentence)",
    )
    parser.add_argument(
        "--root",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="count the root span (default: on)",
    )
    parser.add_argument(
        "--one-word-spans",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="count the span of each word (default: off)",
    )
    parser.add_argument(
        "--short-sentences",
        choices=("count", "skip"),
        default="count",
        help="of fewer than 3 words, in parse F1 (default: count)",
    )
    parser.add_argument(
        "--seed",
        type=at_least(0),
        metavar="N",
        help="of random trees (default: the run's own)",
    )


def run(namespace: argparse.Namespace) -> int:
    """Evaluate; return the exit status."""
    from spinn.evaluation.evaluate_files import evaluate_files
    from spinn.evaluation.scores import format_scores
    from spinn.evaluation.tree_scores import Conventions
    from spinn.pretrained import load_trained
    from spinn.support.files import as_json, write_whole
    from spinn.support.runtime import choose_device, set_threads

    set_threads(namespace.threads)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    files = _files(namespace, trained.configuration.data)
    _check_outputs(namespace, files)
    with _outputs(namespace, trained.labels) as outputs:
        result = evaluate_files(
            trained.to(choose_device(namespace.device)),
            files,
            format=namespace.format,
            trees=namespace.trees,
            batch_size=namespace.batch_size,
            conventions=Conventions(
                root=namespace.root,
                one_word_spans=namespace.one_word_spans,
                short_sentences=namespace.short_sentences,
                average=namespace.average,
                punctuation=namespace.punctuation,
            ),
            seed=namespace.seed,
            each=outputs.write,
            naming=_naming(namespace, trained.configuration.data),
            parser=None if namespace.parser is None else named_parser(namespace.parser),
        )
    if namespace.json is not None:  # before the output, whose reader may be gone
        write_whole(namespace.json, as_json(result.scores, indent=2))
    if result.skipped:
        logger.info(f"{result.skipped:,} without a gold label skipped")
    if result.completed:
        logger.info(f"{result.completed:,} with text that had no tree and was parsed by spaCy")
    if result.note:
        logger.info(f"{result.count:,} examples {result.note}")
    if result.report.labels != trained.labels:
        logger.info("The files distinguish entailment and non-entailment; so do the scores.")
    print(format_scores(result.scores, result.report))
    if namespace.output is not None:
        print(f"\nA line for each example: {namespace.output}")
    if outputs.brackets is not None:
        count = outputs.brackets.count
        print(f"\n{count:,} trees each: gold.txt and predicted.txt in {namespace.brackets}")
    return 0


def _naming(namespace: argparse.Namespace, own: CorpusOptions) -> Naming:
    """Return the naming of the files: that given, or that of the run for its own files."""
    from spinn.data.formats.columns import NO_NAMING

    given = given_naming(namespace)
    is_own = not namespace.files and not namespace.data
    return own.naming if is_own and given == NO_NAMING else given


def _check_outputs(namespace: argparse.Namespace, files: Sequence[Path]) -> None:
    """Check, before long work, that files can be written and that none is lost.

    Raises
    ------
    SpinnError
        If not.

    """
    from spinn.support.errors import ConfigurationError
    from spinn.support.files import is_same_file, is_stream, require_writable

    targets = [path for path in (namespace.output, namespace.json) if path is not None]
    for target in targets:
        if is_stream(target):
            continue
        if any(is_same_file(target, path) for path in files):
            raise ConfigurationError(f"{target} would be overwritten; name another file.")
        if not target.parent.is_dir():
            raise ConfigurationError(f"{target.parent} is no folder; make it, or name another.")
        require_writable(target.parent)
    if len(targets) == 2 and targets[0].resolve() == targets[1].resolve():
        raise ConfigurationError("--output and --json name the same file; name two.")


@dataclass
class _Outputs:
    """The files that are written while a model is evaluated."""

    labels: tuple[str, ...]
    write_line: Callable[[str], None] | None = None
    brackets: BracketFiles | None = None

    def write(self, part: EvaluatedPart) -> None:
        """Write a part of the evaluation."""
        from spinn.evaluation.records import evaluation_records
        from spinn.support.files import as_json

        if self.write_line is not None:
            for record in evaluation_records(part, self.labels):
                self.write_line(as_json(record, ensure_ascii=False))
        if self.brackets is not None:
            self.brackets.add(part)


@contextmanager
def _outputs(namespace: argparse.Namespace, labels: tuple[str, ...]) -> Iterator[_Outputs]:
    """Open the files named by flags; they appear when the evaluation is complete."""
    from spinn.evaluation.brackets import bracket_files
    from spinn.support.files import written_lines

    with ExitStack() as stack:
        outputs = _Outputs(labels)
        if namespace.output is not None:
            outputs.write_line = stack.enter_context(written_lines(namespace.output))
        if namespace.brackets is not None:
            outputs.brackets = stack.enter_context(bracket_files(namespace.brackets))
        yield outputs


def _files(namespace: argparse.Namespace, own: object) -> list[Path]:
    """Return the files to evaluate: those given, or a set of a corpus, by default the run's."""
    from dataclasses import replace

    from spinn.data.find import find_files
    from spinn.data.options import CorpusOptions
    from spinn.data.places import data_directory
    from spinn.support.errors import ConfigurationError

    if namespace.files:
        if namespace.data or namespace.split:
            raise ConfigurationError("--files and --data or --split exclude each other; give one.")
        return list(namespace.files)
    assert isinstance(own, CorpusOptions)
    options = own
    if namespace.data:
        options = replace(own, data=namespace.data, train=[], dev=[], test=[], also=[])
    if options.prepared is not None:
        raise ConfigurationError(
            f"{options.prepared} is a prepared corpus, without the sentences as they were written; "
            "name files to evaluate with --files, or another corpus with --data."
        )
    found = find_files(options, data_directory(options))
    split = namespace.split or "dev"
    if split not in found:
        meant = did_you_mean(split, found)
        raise ConfigurationError(
            f"There is no {split} set there{meant}; it has {', '.join(found)}."
        )
    return found[split]
