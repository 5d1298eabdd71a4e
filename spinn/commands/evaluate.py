"""``spinn evaluate``: scores of a trained model on a data set."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from spinn.commands.options import NO_LABELS, add_reading, at_least, given_naming
from spinn.data.spacy_parser import named_parser
from spinn.support.errors import ConfigurationError
from spinn.support.options import flag_of
from spinn.support.text import did_you_mean
from spinn.trees import TREE_SOURCES

if TYPE_CHECKING:
    from spinn.data.formats import Naming
    from spinn.data.options import CorpusOptions
    from spinn.evaluation.brackets import BracketFiles
    from spinn.evaluation.evaluate_files import EvaluatedPart
    from spinn.evaluation.tree_scores import Conventions
    from spinn.pretrained import TrainedModel

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
        help="in parse F1 (default: keep)",
    )
    parser.add_argument(
        "--average",
        choices=("sentence", "corpus"),
        help="of parse F1: over sentences, or over all spans together (default: sentence)",
    )
    parser.add_argument(
        "--root",
        action=argparse.BooleanOptionalAction,
        help="count the root span (default: on)",
    )
    parser.add_argument(
        "--one-word-spans",
        action=argparse.BooleanOptionalAction,
        help="count the span of each word (default: off)",
    )
    parser.add_argument(
        "--short-sentences",
        choices=("count", "skip"),
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
    from spinn.pretrained import load_trained
    from spinn.support.files import as_json, write_whole
    from spinn.support.runtime import choose_device, set_threads

    set_threads(namespace.threads)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    files = _files(namespace, trained.configuration.data)
    _check_outputs(namespace, files)
    conventions = _conventions(namespace, trained)
    with _outputs(namespace, trained.labels) as outputs:
        result = evaluate_files(
            trained.to(choose_device(namespace.device)),
            files,
            format=_format(namespace, trained.configuration.data),
            trees=namespace.trees,
            batch_size=namespace.batch_size,
            conventions=conventions,
            seed=namespace.seed,
            each=outputs.write,
            naming=_naming(namespace, trained.configuration.data),
            parser=None if namespace.parser is None else named_parser(namespace.parser),
        )
    if namespace.json is not None:  # before the output, whose reader may be gone
        write_whole(namespace.json, as_json(result.scores, indent=2))
    if result.skipped:
        logger.info(f"{result.skipped:,} without a gold label skipped")
    if not result.report.count:
        logger.info(NO_LABELS)
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


def _conventions(namespace: argparse.Namespace, trained: TrainedModel) -> Conventions:
    """Return the conventions of parse F1.

    Raises
    ------
    ConfigurationError
        If a flag of trees is given that has no effect on this model.

    """
    from spinn.evaluation.tree_scores import Conventions

    source = trained.tree_source(namespace.trees)
    named = {part.name: getattr(namespace, part.name) for part in fields(Conventions)}
    given = {name: value for name, value in named.items() if value is not None}
    if source is None:
        idle = [*given, *(name for name in ("brackets", "seed") if getattr(namespace, name))]
        if idle:
            raise ConfigurationError(
                f"{flag_of(idle[0])} does nothing here: the model has no trees."
            )
    elif namespace.seed is not None and not source.random:
        raise ConfigurationError("--seed does nothing here; it belongs to random trees.")
    return Conventions(**given)


def _are_own(namespace: argparse.Namespace) -> bool:
    """Return whether the files are those of the run."""
    return not namespace.files and not namespace.data


def _format(namespace: argparse.Namespace, own: CorpusOptions) -> str:
    """Return the format of the files: that given, or that of the run for its own files."""
    given: str = namespace.format
    return own.format if _are_own(namespace) and given == "auto" else given


def _naming(namespace: argparse.Namespace, own: CorpusOptions) -> Naming:
    """Return the naming of the files: that given, or that of the run for its own files."""
    from spinn.data.formats.columns import NO_NAMING

    given = given_naming(namespace)
    return own.naming if _are_own(namespace) and given == NO_NAMING else given


def _check_outputs(namespace: argparse.Namespace, files: Sequence[Path]) -> None:
    """Check, before long work, that files can be written and that none is lost.

    Raises
    ------
    SpinnError
        If not.

    """
    from spinn.evaluation.brackets import GOLD, PREDICTED
    from spinn.support.files import is_same_file, is_stream, require_writable

    folder, run = namespace.brackets, namespace.run_directory.resolve()
    targets = [("--output", namespace.output), ("--json", namespace.json)]
    targets += [("--brackets", folder and folder / name) for name in (GOLD, PREDICTED)]
    flags: dict[Path, str] = {}
    for flag, target in targets:
        if target is None:
            continue
        place = target.resolve()
        if place in flags:
            raise ConfigurationError(f"{flags[place]} and {flag} name the same file; name two.")
        flags[place] = flag
        if is_stream(target):
            continue
        of_run = target.exists() and run in place.parents
        if of_run or any(is_same_file(target, path) for path in files):
            raise ConfigurationError(f"{target} would be overwritten; name another place.")
        if flag != "--brackets" and not target.parent.is_dir():
            raise ConfigurationError(f"{target.parent} is no folder; make it, or name another.")
        require_writable(target.parent)


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
    from spinn.data.options import NAMES, CorpusOptions
    from spinn.data.places import data_directory

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
    name = options.data
    if options is own and name is not None and name not in NAMES and not Path(name).exists():
        raise ConfigurationError(
            f"The corpus of the run, {name}, is not here. Name another with --data, or files "
            "with --files."
        )
    found = find_files(options, data_directory(options), "name the files with --files")
    split = namespace.split or "dev"
    if split not in found:
        meant = did_you_mean(split, found)
        raise ConfigurationError(
            f"There is no {split} set there{meant}; it has {', '.join(found)}."
        )
    return found[split]
