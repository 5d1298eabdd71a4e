"""``spinn parse``: a corpus with the trees of a trained model in place of a parser's.

A tracker that has learned from a few parsed pairs can so parse many others, and any model can be
trained on what comes out (``--trees gold``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spinn.commands.main import say
from spinn.commands.options import add_reading
from spinn.data.formats.snli import INFERENCE_LABELS
from spinn.errors import ConfigurationError, SpinnError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the corpus")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="where each file is written under its own name, in SNLI's format",
    )
    add_reading(parser)


def run(namespace: argparse.Namespace) -> int:
    """Parse; return the exit status."""
    from spinn.evaluation.report import evaluate_files, parsed_rows, write_lines
    from spinn.runtime import choose_device, set_threads
    from spinn.training.checkpoint import load_trained

    set_threads(namespace.threads)
    targets = _targets(namespace.files, namespace.output)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    _check_labels(trained.labels)
    source = trained.configuration.source
    if source is None or not source.chosen_by_model:
        raise SpinnError(
            f"{namespace.run_directory}: {trained.configuration.form} has no trees of its own to "
            "give; name a run of --predict or --rl."
        )
    try:
        namespace.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpinnError(
            f"{namespace.output}: it cannot be made ({error.strerror}); name another folder."
        ) from error
    for path, target in targets.items():
        result = evaluate_files(
            trained,
            [path],
            format=namespace.format,
            batch_size=namespace.batch_size,
            device=choose_device(namespace.device),
            unlabelled=True,
        )
        write_lines(parsed_rows(result, trained.labels), target)
        say(f"Written: {target} ({len(result.examples):,} pairs)")
    return 0


def _targets(files: list[Path], folder: Path) -> dict[Path, Path]:
    """Name the file to write for each file to read, all of them before the first is read."""
    names = [Path(path.name.removesuffix(".gz")).with_suffix(".jsonl").name for path in files]
    targets = {path: folder / name for path, name in zip(files, names, strict=True)}
    if len(set(names)) < len(files):
        raise ConfigurationError("Two of the files have one name; parse them into two folders.")
    for path, target in targets.items():
        if target.exists() and path.exists() and target.samefile(path):
            raise ConfigurationError(f"{path} would be written over; name another folder.")
    return targets


def _check_labels(labels: tuple[str, ...]) -> None:
    """Refuse labels that could not be read back."""
    unknown = [label for label in labels if label not in INFERENCE_LABELS]
    if unknown:
        raise SpinnError(
            f"SNLI's format has no label {unknown[0]!r}, which this model gives; "
            "name a run on a corpus of entailment, neutral and contradiction."
        )
