"""Finding the files of a corpus and of word vectors."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from spinn.data import download
from spinn.data.options import SPLITS, CorpusOptions
from spinn.support.errors import ConfigurationError, SpinnError

logger = logging.getLogger(__name__)

_PATTERNS = {
    "train": ("*train*",),
    "dev": ("*dev*", "*trial*", "*valid*"),
    "test": ("*test*",),
}
_ENDINGS = (".jsonl", ".tsv", ".txt", ".json")


def data_directory(options: CorpusOptions) -> Path:
    """Return the data folder; the default is the checkout's if there is none in the current one."""
    given = Path(options.data_directory)
    default = Path(__file__).parents[2] / "data"
    return default if not given.is_dir() and options.data_directory == "data" else given


def named(options: CorpusOptions, level: int = logging.DEBUG) -> CorpusOptions:
    """Return the options with the default corpus named explicitly; log the bundled one at a level.

    The default depends on what is on disk, which may change; the corpus of a run must not.
    """
    if options.data is not None or options.train or options.dev or options.test:
        return options
    if _has_snli(data_directory(options)):
        return replace(options, data="snli")
    message = (
        "SNLI is not on disk: using the bundled corpus data/sample (--data snli fetches SNLI)."
    )
    logger.log(level, message)
    return replace(options, data="sample")


def find_files(options: CorpusOptions, directory: Path) -> dict[str, list[Path]]:
    """Return the files of each set; ``directory`` is the data folder.

    Raises
    ------
    SpinnError
        If there are none, or they cannot be downloaded.

    """
    explicit = {split: [Path(name) for name in getattr(options, split)] for split in SPLITS}
    if any(explicit.values()):
        if options.data is not None:
            raise ConfigurationError(
                "--data and --train/--dev/--test exclude each other; give one."
            )
        return {split: files for split, files in explicit.items() if files} | options.further
    name = named(options).data
    assert name is not None
    if name in ("snli", "multinli"):
        official = download.corpus_files(name, directory)
        return {split: [path] for split, path in official.items()} | options.further
    folder = directory / "sample" if name == "sample" else Path(name)
    if not folder.is_dir():
        raise SpinnError(
            f"{folder}: there is no such folder. Give --data snli, multinli, sample or a folder, "
            "or name the files with --train, --dev and --test."
        )
    return _files_in(folder) | options.further


def find_vectors(name: str | None, directory: Path) -> Path | None:
    """Return the file of vectors given by path or by published name, downloaded if necessary."""
    if name is None:
        return None
    path = Path(name)
    if path.exists() or os.sep in name or path.suffix in (".txt", ".gz"):
        return path
    return download.vector_file(name, directory)


def _has_snli(directory: Path) -> bool:
    try:
        download.ensure("snli", directory / "snli", download=False)
    except SpinnError:
        return False
    return True


def _files_in(folder: Path) -> dict[str, list[Path]]:
    """Assign the files of a folder to splits by their names."""
    found: dict[str, list[Path]] = {}
    for split, patterns in _PATTERNS.items():
        matches = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
        data = [path for path in matches if path.name.removesuffix(".gz").endswith(_ENDINGS)]
        data += [path for path in matches if "." not in path.name.removesuffix(".gz")]
        if data:
            found[split] = sorted(set(data))
    if not found:
        raise SpinnError(
            f"{folder}: no file here has train, dev or test in its name. "
            "Name the files with --train, --dev and --test."
        )
    return found
