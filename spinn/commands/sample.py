"""``spinn sample``: generate the bundled corpus, or one like it."""

from __future__ import annotations

import argparse
from pathlib import Path

from spinn.commands.main import say
from spinn.data.sample import SEED, SIZES, generate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("output", type=Path, metavar="FOLDER", help="where to write the files")
    parser.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help="(default: %(default)s)"
    )
    for split, size in SIZES.items():
        parser.add_argument(
            f"--{split}", type=int, default=size, metavar="N", help="pairs (default: %(default)s)"
        )


def run(namespace: argparse.Namespace) -> int:
    """Generate; return the exit status."""
    say("Generating; the usual sizes take a minute or two.")
    sizes = {split: getattr(namespace, split) for split in SIZES}
    generate(namespace.output, namespace.seed, sizes)
    say(f"Written: {namespace.output}")
    return 0
