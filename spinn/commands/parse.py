"""``spinn parse``: a corpus with trees, of a trained model or of spaCy's parser.

A tracker that learned from a few parsed pairs can parse many others, and any model can be trained
on the result (``--trees gold``). The trees of a model replace those of the files; spaCy parses the
sentences that have none.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from spinn.commands.options import NO_LABELS, add_reading, given_naming
from spinn.data.find import split_name
from spinn.data.spacy_parser import named_parser
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.files import is_same_file
from spinn.support.options import flag_of

if TYPE_CHECKING:
    from spinn.data.examples import Example
    from spinn.data.formats import Format
    from spinn.data.readers import ReadCounts
    from spinn.data.shards import Shard
    from spinn.predictor import Predictor

logger = logging.getLogger(__name__)
_OF_MODEL = ("checkpoint", "device", "batch_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.usage = "spinn parse (RUN | --parser spacy) FILE [FILE ...] --output FOLDER [options]"
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="the folder of a run, unless --parser is given, and the files of the corpus",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder in which each file is written under its name, with trees",
    )
    parser.add_argument(
        "--parser",
        metavar="NAME",
        help="spacy, for sentences without a tree, instead of a run (spacy:NAME for another "
        "pipeline than en_core_web_sm)",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="parse part I of N of each file, such as 3/8; a part that is written is skipped",
    )
    add_reading(parser)
    parser.set_defaults(**dict.fromkeys(_OF_MODEL))  # those of Predictor.load


def parse_arguments(parser: argparse.ArgumentParser, given: list[str]) -> argparse.Namespace:
    """Parse the arguments of the command; flags may be anywhere among the paths."""
    return parser.parse_intermixed_args(given)


def run(namespace: argparse.Namespace) -> int:
    """Parse; return the exit status."""
    from spinn.data.readers import ReadCounts
    from spinn.data.shards import read_shard
    from spinn.support.files import write_lines
    from spinn.support.runtime import set_threads

    set_threads(namespace.threads)
    parsing: _Parsing
    if namespace.parser is not None:
        for name in _of_model(namespace):
            raise ConfigurationError(f"{flag_of(name)} belongs to a run; leave it out.")
        parsing, files = _BySpacy(namespace), namespace.paths
    else:
        parsing, files = _ByModel(namespace), namespace.paths[1:]
    if not files:
        raise ConfigurationError("There is nothing to parse; name the files after the run.")
    shard = None if namespace.shard is None else read_shard(namespace.shard)
    formats = {path: parsing.written(path) for path in files}
    targets = _targets(formats, namespace.output, "" if shard is None else shard.suffix)
    try:
        namespace.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpinnError(
            f"{namespace.output}: it cannot be created ({error.strerror}); choose another folder."
        ) from error
    for path, target in targets.items():
        if shard is not None and target.exists():
            logger.info(f"Written before: {target}")
            continue
        counts, format = ReadCounts(), formats[path]
        assert format.write_line is not None
        write_lines(map(format.write_line, parsing.examples(path, counts, shard)), target)
        note = f"{counts.read:,} {format.kind.unit}"
        if counts.language_note:
            note += f", {counts.language_note}"
        logger.info(f"Written: {target} ({note})")
        if counts.unlabelled == counts.read:
            logger.info(NO_LABELS)
    return 0


def _of_model(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a model that are given by flags."""
    given = {name: getattr(namespace, name) for name in _OF_MODEL}
    return {name: value for name, value in given.items() if value is not None}


class _Parsing(Protocol):
    def written(self, path: Path) -> Format:
        """Return the format in which a file is written."""

    def examples(self, path: Path, counts: ReadCounts, shard: Shard | None) -> Iterator[Example]:
        """Yield the examples of a file with trees."""


class _ByModel:
    """Trees of a trained model."""

    def __init__(self, namespace: argparse.Namespace) -> None:
        from spinn.evaluation.evaluate_files import own_format
        from spinn.predictor import Predictor

        run_directory = namespace.paths[0]
        options = {"device": "auto"} | _of_model(namespace)
        self._predictor = Predictor.load(run_directory, **options)
        trained, source = self._predictor.trained, self._predictor.source
        self._written = _written_by(self._predictor)
        if source is None or not source.chosen_by_model:
            raise SpinnError(
                f"{run_directory}: {trained.configuration.form} has no trees of its own; "
                "give a run of --predict or --rl, or --parser spacy."
            )
        self._format, self._naming = own_format(trained, namespace.format), given_naming(namespace)

    def written(self, path: Path) -> Format:
        return self._written

    def examples(self, path: Path, counts: ReadCounts, shard: Shard | None) -> Iterator[Example]:
        from spinn.data.examples import parts
        from spinn.data.readers import read_examples
        from spinn.evaluation.evaluate_files import PART, readable_labels

        predictor = self._predictor
        examples = read_examples(
            path,
            self._format,
            labels=readable_labels(predictor.labels),
            kind=predictor.kind,
            counts=counts,
            unlabelled=True,
            naming=self._naming,
            shard=shard,
        )
        return chain.from_iterable(map(predictor.parse_examples, parts(examples, PART)))


class _BySpacy:
    """Trees of spaCy's parser, for sentences that have none."""

    def __init__(self, namespace: argparse.Namespace) -> None:
        self._parser, self._naming = named_parser(namespace.parser), given_naming(namespace)
        self._format = namespace.format

    def written(self, path: Path) -> Format:
        from spinn.data.formats import FORMATS, detect_format, format_that_writes
        from spinn.data.formats.snli import SNLI

        format = (
            detect_format(path, self._naming)
            if self._format == "auto"
            else FORMATS.find(self._format)
        )
        if format.labels is None:
            return SNLI  # pairs with any labels; the format jsonl reads them back
        return format_that_writes(format.labels, format.kind) or SNLI

    def examples(self, path: Path, counts: ReadCounts, shard: Shard | None) -> Iterator[Example]:
        from spinn.data.readers import read_examples

        examples = read_examples(
            path, self._format, counts=counts, unlabelled=True, naming=self._naming, shard=shard
        )
        return self._parser.complete(examples)


def _targets(formats: dict[Path, Format], folder: Path, suffix: str) -> dict[Path, Path]:
    """Return the file to write for each file to read, and check all before the first is read."""
    targets = {
        path: folder / f"{split_name(path.name)[0]}{suffix}{format.extension}"
        for path, format in formats.items()
    }
    if len(set(targets.values())) < len(targets):
        raise ConfigurationError(
            "Two of the files have the same name; parse them into two folders."
        )
    read = {path.parent.resolve() for path in formats}
    for path, target in targets.items():
        # Beside what is read, a file may be another form of the corpus; parts are never replaced.
        other = not suffix and target.exists() and target.parent.resolve() in read
        if other or is_same_file(target, path):
            raise ConfigurationError(f"{target} would be overwritten; choose another folder.")
    return targets


def _written_by(predictor: Predictor) -> Format:
    """Return the format to write; raise :class:`SpinnError` for labels that no format has."""
    from spinn.data.formats import format_that_writes

    written = format_that_writes(predictor.labels, predictor.kind)
    if written is None:
        raise SpinnError(
            f"No format in which trees are written has the labels {', '.join(predictor.labels)}, "
            "which this model predicts; give a run on SNLI, logic or ListOps, or on a corpus with "
            "their labels."
        )
    return written
