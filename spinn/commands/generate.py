"""``spinn generate CORPUS``: generate the bundled corpus, ListOps or propositional logic."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spinn.generators import listops, logic
from spinn.generators.sample import corpus as sample
from spinn.support.files import require_writable

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the corpora and the flags of each."""
    corpora = parser.add_subparsers(dest="corpus", required=True, metavar="CORPUS")

    command = _add_corpus(corpora, "sample", "the bundled corpus, or one like it", sample.SEED)
    for split, size in sample.SIZES.items():
        _add_number(command, f"--{split}", size, "pairs")

    text = "ListOps, nested lists of digits (Nangia and Bowman 2018)"
    command = _add_corpus(corpora, "listops", text, listops.SEED)
    for split, size in listops.SIZES.items():
        _add_number(command, f"--{split}", size, "sentences")
    _add_number(command, "--max-depth", listops.MAX_DEPTH, "maximum depth; a digit has depth 1")
    _add_number(command, "--max-length", None, "maximum words, including closing brackets")

    text = "propositional logic (Bowman, Manning and Potts 2015)"
    command = _add_corpus(corpora, "logic", text, logic.SEED)
    _add_number(command, "--largest", logic.LARGEST, "operators in the larger formula of a pair")
    _add_number(command, "--pairs", logic.LARGER_PAIRS, "pairs of each size above 6")


def _add_corpus(
    corpora: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, seed: int
) -> argparse.ArgumentParser:
    """Add a corpus with the flags common to all."""
    parser = corpora.add_parser(name, help=summary, description=f"Generate {summary}.")
    parser.add_argument("output", type=Path, metavar="FOLDER", help="the folder for the files")
    _add_number(parser, "--seed", seed, "another seed gives another corpus of the same kind")
    return parser


def _add_number(parser: argparse.ArgumentParser, flag: str, default: int | None, text: str) -> None:
    shown = "no limit" if default is None else default
    parser.add_argument(
        flag, type=int, default=default, metavar="N", help=f"{text} (default: {shown})"
    )


def run(namespace: argparse.Namespace) -> int:
    """Generate a corpus; return the exit status."""
    output, seed = namespace.output, namespace.seed
    if namespace.corpus == "sample":
        logger.info("Generating; the default sizes take up to five minutes.")
    require_writable(output)
    if namespace.corpus == "sample":
        sizes = {split: getattr(namespace, split.replace("-", "_")) for split in sample.SIZES}
        sample.generate(output, seed, sizes)
    elif namespace.corpus == "listops":
        sizes = {split: getattr(namespace, split) for split in listops.SIZES}
        listops.generate(output, seed, sizes, namespace.max_depth, namespace.max_length)
    else:
        logic.generate(output, seed, namespace.largest, namespace.pairs)
    logger.info(f"Written: {output}")
    return 0
