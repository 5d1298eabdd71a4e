"""Evaluation of a trained model on corpus files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinn.data.dataset import numericalise
from spinn.data.examples import Example
from spinn.data.readers import ReadCounts, check_parses, read_files
from spinn.evaluation.evaluate import Evaluation, evaluate_trained
from spinn.evaluation.scores import all_scores
from spinn.evaluation.tree_scores import Conventions
from spinn.pretrained import TrainedModel
from spinn.trees import TreeSource


@dataclass(frozen=True)
class FileEvaluation:
    """The evaluation of a model on files.

    Attributes
    ----------
    examples
        The pairs or single sentences, as read.
    evaluation
        The results for them.
    source
        Source of the trees; ``None`` for encoders without trees.
    scores
        All figures, for JSON.
    unlabelled
        Number of rows without a gold label.

    """

    examples: list[Example]
    evaluation: Evaluation
    source: TreeSource | None
    scores: dict[str, Any]
    unlabelled: int = 0


def evaluate_files(
    trained: TrainedModel,
    paths: list[Path],
    *,
    format: str = "auto",
    trees: str | None = None,
    batch_size: int = 256,
    conventions: Conventions | None = None,
    seed: int | None = None,
) -> FileEvaluation:
    """Evaluate a trained model, on its device, on files of examples.

    Examples without a gold label are skipped and counted.

    Parameters
    ----------
    trained
        The model.
    paths, format
        The files, and the name of their format or ``"auto"``; see :func:`own_format`.
    trees
        Name of a tree source; by default that of the model.
    batch_size
        Number of examples in a batch.
    conventions
        Conventions of parse F1.
    seed
        Seed of random trees; by default that of the run.

    Raises
    ------
    SpinnError
        If a file cannot be read, has examples of another kind than the model takes, or lacks the
        trees that are to be followed.

    """
    source = trained.tree_source(trees)
    counts = ReadCounts()
    examples, places = read_files(
        paths, own_format(trained, format), trained.labels, trained.kind, counts=counts
    )
    if source is not None and source.needs_parse:
        check_parses(examples, places)
    dataset = numericalise(examples, trained.vocabulary, trained.labels, trained.kind)
    evaluation = evaluate_trained(trained, dataset, source, batch_size=batch_size, seed=seed)
    words = [sentence.words for example in examples for sentence in example.sentences]
    scores = all_scores(evaluation, dataset, source, conventions or Conventions(), words)
    return FileEvaluation(examples, evaluation, source, scores, counts.unlabelled)


def own_format(trained: TrainedModel, format: str = "auto") -> str:
    """Return the format of a model's files; ``"auto"`` if it can be detected from the files.

    A format that rewrites trees has files that look like those of another, so it is taken from the
    model.
    """
    own = trained.file_format
    rewrites = own is not None and own.rewrite is not None
    return own.name if format == "auto" and own is not None and rewrites else format
