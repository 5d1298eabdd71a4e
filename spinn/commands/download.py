"""``spinn download``: download published corpora and word vectors."""

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
        help="the folder for data sets (default: data)",
    )


def run(namespace: argparse.Namespace) -> int:
    """Download an archive; return the exit status."""
    from spinn.data.download import ensure

    folder = "glove" if namespace.name.startswith("glove") else namespace.name
    for path in ensure(namespace.name, namespace.data_directory / folder):
        print(path)
    return 0
