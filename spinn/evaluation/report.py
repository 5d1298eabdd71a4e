"""Evaluating a trained model on files: scores for people and programs, a line for each example.

The evaluate command prints what this module computes; the predict command shares the way from text
to the model's numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spinn.data.dataset import numericalise
from spinn.data.examples import PAIR, Example, kind_with
from spinn.data.readers import UNLABELLED, ReadCounts, check_parses, read_files
from spinn.errors import ConfigurationError, SpinnError
from spinn.evaluation.evaluate import Evaluation, all_scores
from spinn.evaluation.tree_scores import Conventions
from spinn.evaluation.treebank import to_treebank
from spinn.files import write_whole, written_whole
from spinn.transitions import TransitionArray, to_brackets
from spinn.trees import GUMBEL_TREES, TreeSource, tree_source

if TYPE_CHECKING:  # training imports evaluation, never the other way round
    from spinn.training.checkpoint import TrainedModel


@dataclass(frozen=True)
class FileEvaluation:
    """A model's evaluation on files.

    Attributes
    ----------
    examples
        The pairs or single sentences, as read.
    evaluation
        What the model made of them.
    source
        Where their trees came from; ``None`` for encoders without trees.
    scores
        All figures, ready for JSON.
    unlabelled
        How many rows of the files have no gold label.

    """

    examples: list[Example]
    evaluation: Evaluation
    source: TreeSource | None
    scores: dict[str, Any]
    unlabelled: int = 0


def choose_source(trained: TrainedModel, trees: str | None) -> TreeSource | None:
    """Decide whose trees a model follows: its own configuration's, or those asked for.

    Raises
    ------
    ConfigurationError
        If the model cannot follow them.

    """
    own = trained.configuration.source
    if trees is None:
        return own
    if own is None or own is GUMBEL_TREES:
        reason = "is a model without trees" if own is None else "builds its own trees"
        raise ConfigurationError(
            f"--trees does nothing here: {trained.configuration.form} {reason}."
        )
    chosen = tree_source(trees)
    if chosen.needs_tracker and not trained.configuration.predicts:
        raise ConfigurationError(
            f"--trees {trees} needs a tracker that learned to choose transitions; "
            "this model has none. Give other trees, or train with --tracker --predict."
        )
    return chosen


def evaluate_files(
    trained: TrainedModel,
    paths: list[Path],
    *,
    format: str = "auto",
    trees: str | None = None,
    batch_size: int = 256,
    device: torch.device | None = None,
    conventions: Conventions | None = None,
    seed: int | None = None,
    unlabelled: bool = False,
) -> FileEvaluation:
    """Evaluate a trained model on files of examples.

    Those without a gold label are left out, and counted, unless ``unlabelled`` asks for them too.
    What is drawn is drawn with the run's own seed, unless another is given.

    Raises
    ------
    SpinnError
        If a file cannot be read, holds single sentences for a model of pairs or the other way
        round, or lacks the trees that are to be followed.

    """
    source = choose_source(trained, trees)
    own = trained.file_format
    if format == "auto" and own is not None and own.rewrite is not None:
        format = own.name  # what a file looks like does not tell
    counts = ReadCounts()
    examples, places = read_files(
        paths, format, trained.labels, trained.kind, counts=counts, unlabelled=unlabelled
    )
    if source is not None and source.needs_parse:
        check_parses(examples, places)
    dataset = numericalise(examples, trained.vocabulary, trained.labels, trained.kind)
    trained.model.to(device or torch.device("cpu"))
    evaluation = trained.evaluate(dataset, source, batch_size=batch_size, seed=seed)
    words = [sentence.words for example in examples for sentence in example.sentences]
    scores = all_scores(evaluation, dataset, source, conventions or Conventions(), words)
    return FileEvaluation(examples, evaluation, source, scores, counts.unlabelled)


def format_scores(scores: dict[str, Any], evaluation: Evaluation) -> str:
    """Write an evaluation's figures for a person."""
    parts = [evaluation.report.format()]
    trees = scores.get("trees")
    if trees is not None:
        lines = [f"trees: {trees['source']}, mean depth {trees['depth']:.2f}"]
        if "gold" in trees:
            gold = trees["gold"]
            lines.append(
                f"against the parser's trees: F1 {100 * gold['f1']:.2f}%, transition accuracy "
                f"{100 * gold['accuracy']:.2f}% of all steps, {100 * gold['free_accuracy']:.2f}% "
                f"of those with a choice ({gold['sentences']:,} sentences)"
            )
        shapes = ", ".join(f"{name} {100 * f1:.2f}%" for name, f1 in trees["shapes"].items())
        lines += [f"against trees of one shape: F1 {shapes}", f"F1: {trees['conventions']}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def records(result: FileEvaluation, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Describe each example: its labels, probabilities and trees."""
    evaluation = result.evaluation
    for row, example in enumerate(result.examples):
        probabilities = evaluation.probabilities[row]
        record: dict[str, Any] = {
            "id": example.identifier,
            "line": example.line,
            "gold": example.label,
            "predicted": labels[int(probabilities.argmax())],
            "probabilities": {
                label: round(float(probability), 6)
                for label, probability in zip(labels, probabilities, strict=True)
            },
        }
        sides = len(example.sentences)
        roles = kind_with(sides).roles
        for side, (name, sentence) in enumerate(zip(roles, example.sentences, strict=True)):
            tree = None if evaluation.trees is None else evaluation.trees[sides * row + side]
            record[name] = _write_sentence(sentence.words, tree)
        yield record


def _write_sentence(words: list[str], tree: TransitionArray | None) -> str:
    return " ".join(words) if tree is None else to_brackets(words, tree)


def parsed_rows(result: FileEvaluation, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Describe each pair in SNLI's format, with the trees of the model for a parser's."""
    for record, example in zip(records(result, labels), result.examples, strict=True):
        row = {"gold_label": record["gold"] or UNLABELLED, "pairID": record["id"]}
        for side, sentence in enumerate(example.sentences, start=1):
            row[f"sentence{side}"] = " ".join(sentence.words)
            row[f"sentence{side}_binary_parse"] = record[PAIR.roles[side - 1]]
        yield row


def write_lines(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write one JSON line for each row; the file appears when it is whole.

    Raises
    ------
    SpinnError
        If it cannot be written.

    """
    try:
        with written_whole(path) as scratch, scratch.open("w", encoding="utf-8") as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise SpinnError(f"{path}: it cannot be written ({error.strerror}).") from error


def write_brackets(result: FileEvaluation, folder: Path) -> int:
    """Write ``gold.txt`` and ``predicted.txt``, one tree a line, as the scorer evalb reads them.

    The lines of the two files belong together: premise and hypothesis of each pair in turn, without
    the sentences that have no parse.

    Returns
    -------
    How many trees each file has.

    Raises
    ------
    SpinnError
        If the model has no trees, the data have no parses, or a file cannot be written.

    """
    sides = [side for example in result.examples for side in example.sentences]
    if result.evaluation.trees is None:
        raise ConfigurationError("--brackets does nothing here: the model has no trees.")
    lines = [
        (to_treebank(side.words, side.transitions), to_treebank(side.words, tree))
        for side, tree in zip(sides, result.evaluation.trees, strict=True)
        if side.transitions is not None
    ]
    if not lines:
        raise SpinnError("--brackets wants data with parses; no sentence here has one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, trees in zip(
            ("gold.txt", "predicted.txt"), zip(*lines, strict=True), strict=True
        ):
            write_whole(folder / name, "\n".join(trees) + "\n")
    except OSError as error:
        raise SpinnError(f"{folder}: it cannot be written ({error.strerror}).") from error
    return len(lines)
