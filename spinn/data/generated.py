"""What all corpora that this project generates have in common: how they are put on disk.

A folder of generated data says in its ``manifest.json`` how to make it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from spinn import __version__
from spinn.errors import DataError
from spinn.files import written_whole


def write_generated(
    directory: Path,
    corpus: str,
    seed: int,
    settings: Mapping[str, int | None],
    files: Mapping[str, str],
) -> None:
    """Write the files of a corpus and its manifest; none is replaced before all are written.

    Parameters
    ----------
    directory
        Where to write; it is made if need be, and files of these names in it are replaced.
    corpus
        Its name, as ``spinn generate`` knows it.
    seed, settings
        What it was made from, for the manifest.
    files
        Their names and texts.

    Raises
    ------
    DataError
        If they cannot be written.

    """
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
    # The first to be opened is the last to be moved in: a manifest never stands beside old files.
    texts = {"manifest.json": json.dumps(manifest, indent=2) + "\n", **files}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as together:
            for name, text in texts.items():
                scratch = together.enter_context(written_whole(directory / name))
                scratch.write_bytes(text.encode())
    except OSError as error:
        raise DataError(
            directory,
            f"the corpus cannot be written ({error.strerror})",
            remedy="Choose another directory",
        ) from error
