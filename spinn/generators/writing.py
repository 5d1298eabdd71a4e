"""Writing a generated corpus to disk, with a manifest that says how to generate it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from spinn import __version__
from spinn.support.errors import DataError
from spinn.support.files import written_whole


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
        Output folder, created if necessary. Existing files of the same names are replaced.
    corpus
        Name of the corpus in ``spinn generate``.
    seed, settings
        Arguments of the generator, recorded in the manifest.
    files
        Text of each file by name. An empty one is not written.

    Raises
    ------
    DataError
        If the files cannot be written.

    """
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
    texts = {"manifest.json": json.dumps(manifest, indent=2) + "\n", **files}
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
