"""``spinn prepare``: numericalise a corpus once, for training on any machine.

``--data FOLDER`` accepts the folder it writes, which requires neither spaCy nor torchtext.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spinn import extensions
from spinn.commands.options import add_group, add_option
from spinn.data.options import DATA_GROUP, VECTORS_GROUP
from spinn.data.transforms import VectorSourceOptions
from spinn.model.build import SPINN_GROUP
from spinn.support.hints import command
from spinn.support.options import GUEST_GROUPS

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("output", type=Path, metavar="FOLDER", help="where to write the corpus")
    add_group(parser, DATA_GROUP)
    add_group(parser, VECTORS_GROUP)
    add_option(parser, SPINN_GROUP.fields()["parser"])
    extensions.load()
    for group in GUEST_GROUPS.values():
        if issubclass(group.options, VectorSourceOptions):
            add_group(parser, group)


def run(namespace: argparse.Namespace) -> int:
    """Prepare a corpus; return the exit status."""
    from spinn.commands.options import given_options
    from spinn.config import resolve
    from spinn.data.corpus import check_place
    from spinn.data.prepare import load_corpus
    from spinn.support.files import require_writable

    check_place(namespace.output)
    require_writable(namespace.output.parent)
    configuration = resolve(given_options(namespace))
    corpus = load_corpus(
        configuration.data,
        configuration.vectors,
        configuration.vector_source,
        configuration.sentence_parser,
    )
    corpus.save(namespace.output)
    again = command("train", "--data", namespace.output)
    logger.info(f"Prepared: {namespace.output}. Train from it with: {again}")
    return 0
