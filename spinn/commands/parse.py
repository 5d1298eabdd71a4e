"""``spinn parse``: a corpus with the trees of a trained model in place of a parser's.

A tracker that learned from a few parsed pairs can parse many others, and any model can be trained
on the result (``--trees gold``).
"""

from __future__ import annotations

import argparse
import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from spinn.commands.options import add_reading, given_naming
from spinn.support.errors import ConfigurationError, SpinnError

if TYPE_CHECKING:
    from spinn.data.formats import Format
    from spinn.predictor import Predictor

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the corpus")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder in which each file is written under its name, with trees",
    )
    add_reading(parser)


def run(namespace: argparse.Namespace) -> int:
    """Parse; return the exit status."""
    from spinn.data.readers import ReadCounts, read_examples
    from spinn.evaluation.evaluate_files import PART, own_format, parts, readable_labels
    from spinn.predictor import Predictor
    from spinn.support.files import write_lines
    from spinn.support.runtime import set_threads

    set_threads(namespace.threads)
    predictor = Predictor.load(
        namespace.run_directory,
        namespace.checkpoint,
        device=namespace.device,
        batch_size=namespace.batch_size,
    )
    trained = predictor.trained
    written = _written_format(predictor)
    targets = _targets(namespace.files, namespace.output, written.extension)
    if predictor.source is None or not predictor.source.chosen_by_model:
        raise SpinnError(
            f"{namespace.run_directory}: {trained.configuration.form} has no trees of its own; "
            "give a run of --predict or --rl."
        )
    try:
        namespace.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpinnError(
            f"{namespace.output}: it cannot be created ({error.strerror}); choose another folder."
        ) from error
    assert written.write_line is not None
    format, naming = own_format(trained, namespace.format), given_naming(namespace)
    for path, target in targets.items():
        counts = ReadCounts()
        examples = read_examples(
            path,
            format,
            labels=readable_labels(predictor.labels),
            kind=predictor.kind,
            counts=counts,
            unlabelled=True,
            naming=naming,
        )
        parsed = chain.from_iterable(map(predictor.parse_examples, parts(examples, PART)))
        write_lines(map(written.write_line, parsed), target)
        note = f"{counts.read:,} {predictor.kind.unit}"
        if counts.language_note:
            note += f", {counts.language_note}"
        logger.info(f"Written: {target} ({note})")
    return 0


def _targets(files: list[Path], folder: Path, extension: str) -> dict[Path, Path]:
    """Return the file to write for each file to read, and check all before the first is read."""
    names = [Path(path.name.removesuffix(".gz")).with_suffix(extension).name for path in files]
    targets = {path: folder / name for path, name in zip(files, names, strict=True)}
    if len(set(names)) < len(files):
        raise ConfigurationError(
            "Two of the files have the same name; parse them into two folders."
        )
    for path, target in targets.items():
        if target.exists() and path.exists() and target.samefile(path):
            raise ConfigurationError(f"{path} would be overwritten; choose another folder.")
    return targets


def _written_format(predictor: Predictor) -> Format:
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
