"""Evaluation of a trained model on corpus files, in parts: memory does not grow with the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinn.data.dataset import PairDataset, numericalise
from spinn.data.examples import Example, ExampleKind, parts
from spinn.data.formats.columns import NO_NAMING, Naming
from spinn.data.labels import INFERENCE_LABELS, NON_ENTAILMENT
from spinn.data.lines import is_pipe
from spinn.data.readers import ReadCounts, no_parse, read_examples, read_label_set
from spinn.data.spacy_parser import SpacyParser
from spinn.evaluation.classification import ClassificationReport
from spinn.evaluation.evaluate import Evaluation, LabelClasses, evaluate_trained
from spinn.evaluation.scores import TreeFigures
from spinn.evaluation.tree_scores import Conventions
from spinn.inference import require_finite
from spinn.pretrained import TrainedModel
from spinn.support.errors import ConfigurationError

_IDLE_PARSER = "--parser does nothing here: the model does not follow the parser's trees."
PART = 2**14
"""Number of examples that are in memory at a time; the usual test sets are smaller."""


@dataclass(frozen=True)
class EvaluatedPart:
    """A part of the examples of files, with their results.

    Attributes
    ----------
    examples
        The pairs or single sentences, as read.
    evaluation
        The results for them.
    classes
        The classes that the labels of the examples are, if several labels count as one.

    """

    examples: list[Example]
    evaluation: Evaluation
    classes: LabelClasses | None = None


@dataclass(frozen=True)
class FileEvaluation:
    """The evaluation of a model on files.

    Attributes
    ----------
    report
        Scores of the labels.
    scores
        All figures, for JSON.
    count
        Number of examples evaluated.
    skipped
        Number of rows skipped because they have no gold label.
    completed
        Number of examples with a sentence that had no tree and was parsed.
    note
        Message about the languages of the examples, if there are several.

    """

    report: ClassificationReport
    scores: dict[str, Any]
    count: int
    skipped: int = 0
    completed: int = 0
    note: str = ""


def evaluate_files(
    trained: TrainedModel,
    paths: list[Path],
    *,
    format: str = "auto",
    trees: str | None = None,
    batch_size: int = 256,
    conventions: Conventions | None = None,
    seed: int | None = None,
    each: Callable[[EvaluatedPart], None] | None = None,
    naming: Naming = NO_NAMING,
    parser: SpacyParser | None = None,
) -> FileEvaluation:
    """Evaluate a trained model, on its device, on files of examples.

    In a file with gold labels, rows without one are skipped and counted. In a file without any, all
    rows are classified, and there are no scores of labels. Where gold labels are entailment and
    non-entailment, the other labels count as non-entailment. Where the model follows the parser's
    trees, sentences without one are parsed; they have no gold tree in parse F1.

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
    each
        Called with each part of the examples, in order.
    naming
        Names of columns and of numbered labels, where the files have unknown ones.
    parser
        The parser of sentences without a tree; by default that of the model.

    Raises
    ------
    ConfigurationError
        If a parser is given and the model does not follow the parser's trees.
    SpinnError
        If a file cannot be read, has examples of another kind than the model takes, or lacks the
        trees that are to be followed, or the model's probabilities are not finite.

    """
    source = trained.tree_source(trees)
    follows_parses = source is not None and source.needs_parse
    if parser is not None and not follows_parses:
        raise ConfigurationError(_IDLE_PARSER)
    parser = parser or trained.sentence_parser(source)
    files = _Files(
        paths, own_format(trained, format), trained.kind, readable_labels(trained.labels), naming
    )
    classes = _classes(trained.labels, files.labels)
    names = trained.labels if classes is None else classes.names
    report = ClassificationReport(names, trained.kind.unit)
    figures, has_trees, count = TreeFigures(conventions or Conventions()), False, 0
    completed = 0
    # Random trees depend on all examples that are evaluated together.
    size = None if source is not None and source.random else PART
    for examples in parts(files.examples(follows_parses and parser is None), size):
        if classes is not None:
            examples = [_with_class(example, names) for example in examples]
        dataset = numericalise(examples, trained.vocabulary, names, trained.kind)
        evaluation = evaluate_trained(
            trained,
            _completed(dataset, examples, parser),
            source,
            batch_size=batch_size,
            seed=seed,
            classes=classes,
            report=report,
            progress=True,
        )
        require_finite(evaluation.probabilities)
        if evaluation.trees is not None:
            words = [sentence.words for example in examples for sentence in example.sentences]
            figures.update(evaluation.trees, dataset, words)
            has_trees = True
        if each is not None:
            each(EvaluatedPart(examples, evaluation, classes))
        count += len(examples)
        if parser is not None:
            completed += sum(not example.is_parsed for example in examples)
        del examples, dataset, evaluation  # before the next part is read
    scores = report.as_dict()
    if has_trees and source is not None:
        scores["trees"] = {"source": source.name} | figures.as_dict()
    return FileEvaluation(
        report, scores, count, files.skipped, completed, files.counts.language_note
    )


def _completed(
    dataset: PairDataset, examples: list[Example], parser: SpacyParser | None
) -> PairDataset:
    """Return the data set of examples with a tree for each sentence, if there is a parser."""
    if parser is None or dataset.parsed.all():
        return dataset
    sentences = (one for example in parser.complete(examples) for one in example.sentences)
    return dataset.with_trees([one.transitions for one in sentences if one.transitions is not None])


def readable_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the gold labels that files for a model of these labels may have."""
    if "entailment" in labels and set(labels) <= set(INFERENCE_LABELS):
        return (*labels, NON_ENTAILMENT)
    return labels


def _classes(labels: tuple[str, ...], gold: set[str | None]) -> LabelClasses | None:
    """Return the classes of a model's labels if the gold labels distinguish fewer."""
    if NON_ENTAILMENT not in gold or NON_ENTAILMENT in labels:
        return None
    members = tuple(int(label != "entailment") for label in labels)
    return LabelClasses(("entailment", NON_ENTAILMENT), members)


def _with_class(example: Example, names: tuple[str, ...]) -> Example:
    fits = example.label is None or example.label in names
    return example if fits else example._replace(label=NON_ENTAILMENT)


class _Files:
    """The examples of files, after a first look at their labels.

    The parameters are those of :func:`spinn.data.readers.read_examples`.
    """

    def __init__(
        self,
        paths: list[Path],
        format: str,
        kind: ExampleKind,
        allowed: tuple[str, ...],
        naming: Naming,
    ) -> None:
        self._format, self._kind, self._allowed, self._naming = format, kind, allowed, naming
        self.skipped = 0
        """Number of rows skipped so far for want of a gold label."""
        self.counts = ReadCounts()
        """Numbers of the rows that were read."""
        self._files: list[tuple[Path, list[Example] | None, set[str | None]]] = []
        for path in paths:
            held: list[Example] | None = None
            if is_pipe(path):  # it can be read once only
                held = list(self._read(path, unlabelled=True))
                found = {example.label for example in held}
            else:
                found = read_label_set(path, format, allowed, kind, naming)
            self._files.append((path, held, found))

    @property
    def labels(self) -> set[str | None]:
        """The gold labels in the files; a missing one is ``None``."""
        return {label for _, _, found in self._files for label in found}

    def examples(self, needs_parse: bool) -> Iterator[Example]:
        """Yield the examples: those with a gold label, or all of a file without any.

        Raises
        ------
        DataError
            If an example has no tree and needs one.

        """
        for path, held, found in self._files:
            keep, before = found <= {None}, self.counts.unlabelled
            examples = self._read(path, unlabelled=keep) if held is None else held
            for example in examples:
                if example.label is None and not keep:
                    self.skipped += 1
                    continue
                if needs_parse and not example.is_parsed:
                    raise no_parse(path, example.line)
                yield example
            self.skipped += 0 if keep else self.counts.unlabelled - before

    def _read(self, path: Path, *, unlabelled: bool) -> Iterator[Example]:
        return read_examples(
            path,
            self._format,
            labels=self._allowed,
            kind=self._kind,
            counts=self.counts,
            unlabelled=unlabelled,
            naming=self._naming,
        )


def own_format(trained: TrainedModel, format: str = "auto") -> str:
    """Return the format of a model's files; ``"auto"`` if it can be detected from the files.

    A format that rewrites trees has files that look like those of another, so it is taken from the
    model.
    """
    own = trained.file_format
    rewrites = own is not None and own.rewrite is not None
    return own.name if format == "auto" and own is not None and rewrites else format
