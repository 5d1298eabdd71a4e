"""Finding the files of a corpus and of word vectors."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace
from pathlib import Path

from spinn.data import download
from spinn.data.archives import ARCHIVES
from spinn.data.options import SPLITS, CorpusOptions
from spinn.data.places import bundled_corpus, data_directory
from spinn.support.errors import ConfigurationError, SpinnError, of_system

logger = logging.getLogger(__name__)

_WORDS = {
    "train": {"train", "training", "trainset"},
    "dev": {"dev", "devset", "development", "trial", "valid", "validation", "val"},
    "test": {"test", "testset", "testing"},
}
_APART = {"mismatched": "_mismatched", "longer": "-longer"}  # words of further held-out sets
_ENDINGS = ("jsonl", "json", "tsv", "csv", "txt", "parquet", "")  # the first form of a set is read
_COMPRESSED = ("", "gz", "bz2", "xz")
_NAME_FILES = (
    "name the files with --train, --dev and --test, and further test sets with --also NAME=FILE"
)


def named(options: CorpusOptions, level: int = logging.DEBUG) -> CorpusOptions:
    """Return the options with the default corpus named explicitly; log the bundled one at a level.

    The default depends on what is on disk, which may change; the corpus of a run must not.
    """
    if options.data is not None or options.train or options.dev or options.test:
        return options
    if _has_snli(data_directory(options)):
        return replace(options, data="snli")
    message = "SNLI is not on disk: using the bundled corpus sample (--data snli fetches SNLI)."
    logger.log(level, message)
    return replace(options, data="sample")


def find_files(
    options: CorpusOptions, directory: Path, remedy: str = _NAME_FILES
) -> dict[str, list[Path]]:
    """Return the files of each set.

    Parameters
    ----------
    options
        The corpus.
    directory
        The data folder.
    remedy
        What to do instead of naming a folder, for errors.

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
        return _with_further({s: files for s, files in explicit.items() if files}, options)
    name = named(options).data
    assert name is not None
    if name in ("snli", "multinli"):
        official = download.corpus_files(name, directory)
        return _with_further({split: [path] for split, path in official.items()}, options)
    folder = Path(name)
    if name == "sample":
        folder = directory / "sample"
        folder = folder if folder.is_dir() else bundled_corpus()
    return _with_further(_files_in(folder, remedy), options)


def _with_further(files: dict[str, list[Path]], options: CorpusOptions) -> dict[str, list[Path]]:
    """Return the files of all sets: those of a corpus, and the further test sets."""
    further = options.further
    for name in sorted(files.keys() & further.keys()):
        raise ConfigurationError(
            f"--also {name}=FILE: the corpus has a set of this name, {files[name][0]}; choose "
            "another name."
        )
    return files | further


def find_vectors(name: str | None, directory: Path) -> Path | None:
    """Return the file of vectors given by path or by published name, downloaded if necessary."""
    if name is None:
        return None
    path = Path(name)
    if path.exists() or os.sep in name or path.suffix in (".txt", ".vec", ".gz", ".bz2", ".xz"):
        return path
    return download.vector_file(name, directory)


def _has_snli(directory: Path) -> bool:
    """Return whether SNLI is on disk; raise :class:`SpinnError` if its archive is, but damaged."""
    folder = directory / "snli"
    try:
        download.ensure("snli", folder, download=False)
    except SpinnError:
        if (folder / ARCHIVES["snli"].filename).exists():
            raise
        return False
    return True


def _files_in(folder: Path, remedy: str) -> dict[str, list[Path]]:
    """Assign the files of a folder to splits by the words of their names.

    Hidden files are ignored. Of several forms of one set, the first of ``_ENDINGS`` is chosen. The
    training set may consist of any files, a held-out set of files that differ in numbers only; a
    mismatched or longer one is a set by itself, such as ``dev_mismatched`` and ``test-longer``.
    """
    stems: dict[str, list[Path]] = {}
    for path in _listed(folder, remedy):
        stem = _stem(path.name)
        if stem is not None and path.is_file():
            stems.setdefault(stem, []).append(path)
    found: dict[str, dict[tuple[str, ...], list[Path]]] = {}
    for stem, forms in stems.items():
        words = tuple(re.findall(r"[^\W\d_]+", stem))
        splits = [split for split, names in _WORDS.items() if names.intersection(words)]
        if not splits:
            continue
        path = _chosen(forms)
        if len(splits) > 1:
            raise SpinnError(
                f"{path}: its name has the words of two sets, {' and '.join(splits)}. "
                f"Rename it, or {remedy}."
            )
        split = splits[0]
        if split != "train":
            split += "".join(suffix for word, suffix in _APART.items() if word in words)
        found.setdefault(split, {}).setdefault(words, []).append(path)
    if not found:
        raise SpinnError(
            f"{folder}: no file here has the word train, dev or test in its name. "
            f"Choose another folder, or {remedy}."
        )
    order = [*SPLITS, *sorted(set(found).difference(SPLITS))]
    return {split: _joined(split, found[split], remedy) for split in order if split in found}


def _listed(folder: Path, remedy: str) -> list[Path]:
    """Return the files and folders in a folder, without hidden ones."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        problem = "there is no such folder"
    except NotADirectoryError:
        problem = "this is a file, not a folder"
    except OSError as error:
        raise of_system(error) from error
    raise SpinnError(
        f"{folder}: {problem}. Choose snli, multinli, sample or a folder, or {remedy}."
    )


def _stem(name: str) -> str | None:
    """Return the name of a data file in lower case without its endings, else ``None``."""
    stem, ending, _ = split_name(name)
    return stem.lower() if ending in _ENDINGS else None


def split_name(name: str) -> tuple[str, str, str]:
    """Split a file name into stem, ending and ending of compression, the latter in lower case."""
    plain, _, last = name.rpartition(".")
    compressed = last.lower() if plain and last.lower() in _COMPRESSED else ""
    name = plain if compressed else name
    stem, _, ending = name.rpartition(".")
    return (stem, ending.lower(), compressed) if stem else (name, "", compressed)


def _chosen(forms: list[Path]) -> Path:
    """Return the preferred form of a set; log it if there are several."""

    def rank(path: Path) -> tuple[int, int]:
        _, ending, compressed = split_name(path.name)
        return _ENDINGS.index(ending), _COMPRESSED.index(compressed)

    chosen, *others = sorted(forms, key=rank)
    if others:
        logger.warning(
            f"Reading {chosen} only, taking {', '.join(path.name for path in others)} for other "
            "forms of the same set; name the files with --train, --dev and --test to read others."
        )
    return chosen


def _joined(split: str, groups: dict[tuple[str, ...], list[Path]], remedy: str) -> list[Path]:
    """Return the files of a set in order of their names, if they belong together."""
    paths = sorted(path for group in groups.values() for path in group)
    if split != "train" and len(groups) > 1:
        raise SpinnError(
            f"{paths[0].parent}: {' and '.join(path.name for path in paths)} may all be the "
            f"{split} set. Keep one of them there, or {remedy}."
        )
    return paths
