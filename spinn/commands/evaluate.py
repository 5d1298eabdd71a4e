"""``spinn evaluate``: scores of a trained model on a data set."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spinn.commands.options import add_reading, at_least
from spinn.trees import TREE_SOURCES

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "--data", metavar="NAME", help="snli, multinli, sample or a folder (default: the run's own)"
    )
    parser.add_argument("--files", nargs="+", type=Path, metavar="FILE", help="files, instead")
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="train, dev, test or a further test set of the run's own (default: dev)",
    )
    add_reading(parser)
    parser.add_argument(
        "--trees", choices=tuple(TREE_SOURCES), help="follow these trees instead of the run's own"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write a JSON line for each example: labels, trees",
    )
    parser.add_argument(
        "--brackets",
        type=Path,
        metavar="FOLDER",
        help="write the parser's trees and the model's to gold.txt and predicted.txt, for evalb",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument(
        "--punctuation",
        choices=("keep", "drop"),
        default="keep",
        help="in parse F1 (default: keep)",
    )
    parser.add_argument(
        "--average",
        choices=("sentence", "corpus"),
        default="sentence",
        help="of parse F1: over sentences, or over all spans together (default: sentence)",
    )
    parser.add_argument(
        "--root",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="count the root span (default: on)",
    )
    parser.add_argument(
        "--one-word-spans",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="count the span of each word (default: off)",
    )
    parser.add_argument(
        "--short-sentences",
        choices=("count", "skip"),
        default="count",
        help="of fewer than 3 words, in parse F1 (default: count)",
    )
    parser.add_argument(
        "--seed",
        type=at_least(0),
        metavar="N",
        help="of random trees (default: the run's own)",
    )


def run(namespace: argparse.Namespace) -> int:
    """Evaluate; return the exit status."""
    from spinn.evaluation.brackets import write_brackets
    from spinn.evaluation.evaluate_files import evaluate_files
    from spinn.evaluation.records import evaluation_records
    from spinn.evaluation.scores import format_scores
    from spinn.evaluation.tree_scores import Conventions
    from spinn.pretrained import load_trained
    from spinn.support.files import as_json, write_json_lines, write_whole
    from spinn.support.runtime import choose_device, set_threads

    set_threads(namespace.threads)
    trained = load_trained(namespace.run_directory, namespace.checkpoint)
    result = evaluate_files(
        trained.to(choose_device(namespace.device)),
        _files(namespace, trained.configuration.data),
        format=namespace.format,
        trees=namespace.trees,
        batch_size=namespace.batch_size,
        conventions=Conventions(
            root=namespace.root,
            one_word_spans=namespace.one_word_spans,
            short_sentences=namespace.short_sentences,
            average=namespace.average,
            punctuation=namespace.punctuation,
        ),
        seed=namespace.seed,
    )
    if result.unlabelled:
        logger.info(f"{result.unlabelled:,} without a gold label skipped")
    print(format_scores(result.scores, result.evaluation))
    if namespace.output is not None:
        write_json_lines(evaluation_records(result, trained.labels), namespace.output)
        print(f"\nA line for each example: {namespace.output}")
    if namespace.brackets is not None:
        count = write_brackets(result, namespace.brackets)
        print(f"\n{count:,} trees each: gold.txt and predicted.txt in {namespace.brackets}")
    if namespace.json is not None:
        write_whole(namespace.json, as_json(result.scores, indent=2))
    return 0


def _files(namespace: argparse.Namespace, own: object) -> list[Path]:
    """Return the files to evaluate: those given, or a set of a corpus, by default the run's."""
    from dataclasses import replace

    from spinn.data.find import find_files
    from spinn.data.options import CorpusOptions
    from spinn.data.places import data_directory
    from spinn.support.errors import ConfigurationError

    if namespace.files:
        if namespace.data or namespace.split:
            raise ConfigurationError("--files and --data or --split exclude each other; give one.")
        return list(namespace.files)
    assert isinstance(own, CorpusOptions)
    options = own
    if namespace.data:
        options = replace(own, data=namespace.data, train=[], dev=[], test=[], also=[])
    if options.prepared is not None:
        raise ConfigurationError(
            f"{options.prepared} is a prepared corpus, without the sentences as they were written; "
            "name files to evaluate with --files, or another corpus with --data."
        )
    found = find_files(options, data_directory(options))
    split = namespace.split or "dev"
    if split not in found:
        raise ConfigurationError(f"There is no {split} set there; it has {', '.join(found)}.")
    return found[split]
