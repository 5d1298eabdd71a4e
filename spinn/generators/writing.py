"""Writing a generated corpus to disk, with a manifest that says how to generate it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from spinn import __version__
from spinn.support.errors import DataError, SpinnError
from spinn.support.files import written_whole
from spinn.support.json_files import read_object

MANIFEST = "manifest.json"


def write_generated(
    directory: Path,
    corpus: str,
    seed: int,
    settings: Mapping[str, int | None],
    files: Mapping[str, str],
) -> None:
    """Write the files of a corpus and its ``manifest.json``, all of them or none.

    Parameters
    ----------
    directory
        Output folder, created if necessary. Files of a corpus of the same name are replaced.
    corpus
        Name of the corpus in ``spinn generate``.
    seed, settings
        Arguments of the generator, recorded in the manifest.
    files
        Text of each file by name. An empty one is not written.

    Raises
    ------
    DataError
        If the files cannot be written, or would replace files of something else.

    """
    _check_place(directory, corpus, [MANIFEST, *files])
    empty = [name for name, text in files.items() if not text]
    files = {name: text for name, text in files.items() if text}
    manifest = {
        "corpus": corpus,
        "seed": seed,
        "settings": dict(settings),
        "version": __version__,
        "files": {
            name: {
                "lines": text.count("\n"),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            }
            for name, text in files.items()
        },
    }
    # Files are renamed in reverse order, so the manifest is never newer than the data.
    texts = {MANIFEST: json.dumps(manifest, indent=2) + "\n", **files}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as together:
            for name, text in texts.items():
                scratch = together.enter_context(written_whole(directory / name))
                scratch.write_bytes(text.encode())
        for name in empty:
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            directory,
            f"the corpus cannot be written ({error.strerror})",
            remedy="Choose another directory",
        ) from error


def _check_place(directory: Path, corpus: str, names: Sequence[str]) -> None:
    """Raise :class:`DataError` if files would be replaced that are of no corpus of this name."""
    there = [name for name in names if (directory / name).exists()]
    if there and _corpus_in(directory) != corpus:
        raise DataError(
            directory / there[0],
            "it would be overwritten",
            remedy="Choose another folder, or move the file",
        )


def _corpus_in(directory: Path) -> object:
    """Return the name of the corpus that was generated in a folder; ``None`` for none."""
    try:
        return read_object(directory / MANIFEST, "").values.get("corpus")
    except SpinnError:
        return None
