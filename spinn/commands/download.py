"""``spinn download``: fetch the official corpora and word vectors."""

from __future__ import annotations

import argparse
from pathlib import Path

from spinn.data.archives import ARCHIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("name", choices=tuple(ARCHIVES), metavar="NAME", help=", ".join(ARCHIVES))
    parser.add_argument(
        "--data-directory",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="where to put it",
    )


def run(namespace: argparse.Namespace) -> int:
    """Download; return the exit status."""
    from spinn.data.download import ensure

    folder = "glove" if namespace.name.startswith("glove") else namespace.name
    for path in ensure(namespace.name, namespace.data_directory / folder):
        print(path)
    return 0
