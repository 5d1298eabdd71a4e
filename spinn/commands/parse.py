"""``spinn parse``: a corpus with the trees of a trained model in place of a parser's.

A tracker that learned from a few parsed pairs can parse many others, and any model can be trained
on the result (``--trees gold``).
"""

from __future__ import annotations

import argparse
import logging
from itertools import chain
from pathlib import Path

from spinn.commands.options import add_reading
from spinn.data.labels import INFERENCE_LABELS
from spinn.support.errors import ConfigurationError, SpinnError

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
        help="folder in which each file is written under its name, in SNLI's format",
    )
    add_reading(parser)


def run(namespace: argparse.Namespace) -> int:
    """Parse; return the exit status."""
    from spinn.data.readers import ReadCounts, read_examples
    from spinn.evaluation.evaluate_files import PART, own_format, parts, readable_labels
    from spinn.evaluation.records import snli_rows
    from spinn.predictor import Predictor
    from spinn.support.files import write_json_lines
    from spinn.support.runtime import set_threads

    set_threads(namespace.threads)
    targets = _targets(namespace.files, namespace.output)
    predictor = Predictor.load(
        namespace.run_directory,
        namespace.checkpoint,
        device=namespace.device,
        batch_size=namespace.batch_size,
    )
    trained = predictor.trained
    _check_labels(predictor.labels)
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
    format = own_format(trained, namespace.format)
    for path, target in targets.items():
        counts = ReadCounts()
        examples = read_examples(
            path,
            format,
            labels=readable_labels(predictor.labels),
            kind=predictor.kind,
            counts=counts,
            unlabelled=True,
        )
        parsed = chain.from_iterable(map(predictor.parse_examples, parts(examples, PART)))
        write_json_lines(snli_rows(parsed), target)
        logger.info(f"Written: {target} ({counts.read:,} pairs)")
    return 0


def _targets(files: list[Path], folder: Path) -> dict[Path, Path]:
    """Return the file to write for each file to read, and check all before the first is read."""
    names = [Path(path.name.removesuffix(".gz")).with_suffix(".jsonl").name for path in files]
    targets = {path: folder / name for path, name in zip(files, names, strict=True)}
    if len(set(names)) < len(files):
        raise ConfigurationError(
            "Two of the files have the same name; parse them into two folders."
        )
    for path, target in targets.items():
        if target.exists() and path.exists() and target.samefile(path):
            raise ConfigurationError(f"{path} would be overwritten; choose another folder.")
    return targets


def _check_labels(labels: tuple[str, ...]) -> None:
    """Raise :class:`SpinnError` for labels that could not be read back."""
    unknown = [label for label in labels if label not in INFERENCE_LABELS]
    if unknown:
        raise SpinnError(
            f"SNLI's format has no label {unknown[0]!r}, which this model predicts; "
            "give a run on a corpus of entailment, neutral and contradiction."
        )
