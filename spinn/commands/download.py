"""``spinn download``: download published corpora and word vectors."""

from __future__ import annotations

import argparse

from spinn.data.archives import ARCHIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("name", choices=tuple(ARCHIVES), metavar="NAME", help=", ".join(ARCHIVES))
    parser.add_argument(
        "--data-directory",
        default="data",
        metavar="FOLDER",
        help="the folder for data sets (default: data; if there is none here, that of the clone, "
        "or the user's cache folder)",
    )


def run(namespace: argparse.Namespace) -> int:
    """Download an archive; return the exit status."""
    from spinn.data.download import ensure
    from spinn.data.options import CorpusOptions
    from spinn.data.places import data_directory

    directory = data_directory(CorpusOptions(data_directory=namespace.data_directory))
    folder = "glove" if namespace.name.startswith("glove") else namespace.name
    for path in ensure(namespace.name, directory / folder):
        print(path)
    return 0
