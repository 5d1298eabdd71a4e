"""Predictions of a trained model for sentences given as text.

:class:`Predictor` takes sentences and returns labels, probabilities, sentence vectors, trees and
the probabilities of transitions. It tokenises, sorts and batches; results are in the order of the
input and, up to rounding, do not depend on the batch that a sentence is in::

    predictor = Predictor.load("runs/spinn-seed1")
    predictor.predict([("A dog runs.", "An animal moves.")])[0].label
    predictor.encode(["A dog runs.", "It is asleep."])  # [2, H]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from spinn.data.batching import Batcher
from spinn.data.dataset import PairDataset, numericalise
from spinn.data.examples import SENTENCE, Example, ExampleKind, Sentence
from spinn.data.readers import no_parse
from spinn.data.text import TextReader
from spinn.data.vocabulary import UNKNOWN
from spinn.inference import Encodings, Floats, Inference, require_finite
from spinn.prediction import Prediction, Steps, steps_of, with_trees
from spinn.pretrained import TrainedModel, load_trained
from spinn.support.errors import ConfigurationError
from spinn.support.runtime import choose_device
from spinn.transitions import TransitionArray
from spinn.trees import TreeSource, tree_source

SentenceInput: TypeAlias = str | Sentence
"""Text, raw or as a bracketed tree; or words with or without a tree."""
ExampleInput: TypeAlias = SentenceInput | Sequence[SentenceInput] | Example
"""A single sentence, or a premise and a hypothesis; labels are ignored."""

_PLACE = "input"  # in errors, with the position of an example from 1 as the line


class Predictor:
    """Apply a trained model to sentences, in the precision it was trained in.

    Parameters
    ----------
    trained
        The model, on the device where it is to run.
    trees
        Name of the tree source to follow; by default that of the model. Where these are the
        parser's trees, sentences have to be given as trees. Random trees depend on the seed of the
        run and on the lengths of the sentences of an example.
    batch_size
        Number of examples in a batch.

    Raises
    ------
    ConfigurationError
        If the model cannot follow these trees.

    """

    def __init__(
        self, trained: TrainedModel, *, trees: str | None = None, batch_size: int = 256
    ) -> None:
        self.trained = trained
        self.source: TreeSource | None = trained.tree_source(trees)
        self.batch_size = batch_size
        file_format = trained.file_format
        self._reader = TextReader(
            trained.kind, None if file_format is None else file_format.rewrite
        )

    @classmethod
    def load(
        cls,
        path: str | Path,
        checkpoint: str = "best",
        *,
        device: str | torch.device = "cpu",
        trees: str | None = None,
        batch_size: int = 256,
    ) -> Predictor:
        """Load a predictor from the folder of a trained model or of a run.

        Parameters
        ----------
        path, checkpoint
            See :func:`spinn.pretrained.load_trained`.
        device
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, or a device.
        trees, batch_size
            See :class:`Predictor`.

        Raises
        ------
        SpinnError
            If the folder cannot be used, there is no such device, or the model cannot follow these
            trees.

        """
        place = choose_device(device) if isinstance(device, str) else device
        trained = load_trained(Path(path), checkpoint).to(place)
        return cls(trained, trees=trees, batch_size=batch_size)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the model."""
        return self.trained.labels

    @property
    def kind(self) -> ExampleKind:
        """Kind of the examples that the model classifies."""
        return self.trained.kind

    @property
    def scores_transitions(self) -> bool:
        """Whether the model has a tracker or a parser that scores transitions."""
        return self.trained.configuration.predicts

    def read(self, texts: Sequence[str], place: str = _PLACE, line: int = 1) -> Example:
        """Read an example from the texts of its sentences.

        Parameters
        ----------
        texts
            As many as an example has sentences.
        place, line
            Origin of the texts, for errors.

        Raises
        ------
        DataError
            If a text cannot be read, or lacks the tree that is to be followed.

        """
        return self._checked(self._reader.example(texts, place, line), place, line)

    def predict(self, examples: str | Sequence[ExampleInput]) -> list[Prediction]:
        """Classify examples.

        Parameters
        ----------
        examples
            Pairs ``(premise, hypothesis)``, or single sentences, as the model takes them. One
            string is one single sentence.

        Raises
        ------
        DataError
            If an example cannot be read, is of the other kind, or lacks the tree that is to be
            followed.

        """
        given = [examples] if isinstance(examples, str) else examples
        read = [self._example(one, line) for line, one in enumerate(given, start=1)]
        if not read:
            return []
        inference, dataset = self._prepare(read, self.kind)
        outputs = inference.classify(dataset, details=True)
        require_finite(outputs.probabilities)
        return [
            self._prediction(example, row, outputs.probabilities[row], outputs.encodings)
            for row, example in enumerate(read)
        ]

    def encode(self, sentences: SentenceInput | Sequence[SentenceInput]) -> Floats:
        """Return the vectors ``[n, H]`` of n sentences.

        Parameters
        ----------
        sentences
            A list of sentences, or one sentence for a list of one.

        Raises
        ------
        ConfigurationError
            If the model reads both sentences of a pair together (``--leaf-context aligned``).
        DataError
            If a sentence cannot be read, or lacks the tree that is to be followed.

        """
        read = self._alone(sentences)
        if not read:
            return np.zeros((0, self.trained.model.encoder.output_size), dtype=np.float32)
        inference, dataset = self._prepare(read, SENTENCE)
        vectors = inference.encode(dataset).vectors
        assert vectors is not None
        require_finite(vectors)
        return vectors

    def parse(self, sentences: SentenceInput | Sequence[SentenceInput]) -> list[Sentence]:
        """Return sentences with the trees that the model follows.

        Parameters and errors are those of :meth:`encode`.

        Raises
        ------
        ConfigurationError
            Also if the encoder has no trees.

        """
        return [example.premise for example in self._parsed(self._alone(sentences), SENTENCE)]

    def parse_examples(self, examples: Sequence[Example]) -> list[Example]:
        """Return examples with the trees that the model follows in place of their own.

        Raises
        ------
        ConfigurationError
            If the encoder has no trees.
        DataError
            If an example lacks the tree that is to be followed.

        """
        checked = [self._checked(one, _PLACE, line) for line, one in enumerate(examples, start=1)]
        return self._parsed(checked, self.kind)

    def steps(self, sentences: SentenceInput | Sequence[SentenceInput]) -> list[Steps]:
        """Return the transitions of sentences and their probabilities.

        Parameters and errors are those of :meth:`encode`.

        Raises
        ------
        ConfigurationError
            Also if nothing scores transitions.

        """
        if not self.scores_transitions:
            raise ConfigurationError(
                f"{self.trained.configuration.form} has nothing that scores transitions. "
                "Use a model trained with --predict or --rl."
            )
        read = self._alone(sentences)
        if not read:
            return []
        inference, dataset = self._prepare(read, SENTENCE)
        encodings = inference.parse(dataset, steps=True)
        return [steps_of(example.premise, row, encodings) for row, example in enumerate(read)]

    def _parsed(self, examples: list[Example], kind: ExampleKind) -> list[Example]:
        if self.source is None:
            raise ConfigurationError(f"{self.trained.configuration.form} has no trees.")
        if not examples:
            return []
        inference, dataset = self._prepare(examples, kind)
        trees = inference.parse(dataset).trees
        parsed = []
        for row, example in enumerate(examples):
            premise, *others = with_trees(example, row, trees)
            parsed.append(
                example._replace(premise=premise, hypothesis=others[0] if others else None)
            )
        return parsed

    def _prepare(self, examples: list[Example], kind: ExampleKind) -> tuple[Inference, PairDataset]:
        """Return the examples as numbers, and what runs the model on them."""
        trained, source = self.trained, self.source
        unlabelled = (example._replace(label=None) for example in examples)
        dataset = numericalise(unlabelled, trained.vocabulary, trained.labels, kind)
        if source is not None and source.random:
            # In a batch, random trees depend on the other examples; here each is drawn alone.
            dataset = dataset.with_trees(_random_trees(dataset, source, trained.seed))
            source = tree_source("gold")
        inference = Inference(
            trained.model, source, self.batch_size, trained.precision, trained.seed
        )
        return inference, dataset

    def _alone(self, sentences: SentenceInput | Sequence[SentenceInput]) -> list[Example]:
        """Read sentences as examples of one sentence each."""
        if self.trained.model.leaves.needs_pairs:
            raise ConfigurationError(
                "This model reads the two sentences of a pair together (--leaf-context aligned); "
                "give pairs to predict."
            )
        given = [sentences] if isinstance(sentences, (str, Sentence)) else sentences
        return [
            self._checked(Example(self._sentence(sentence, line), None, None, line), _PLACE, line)
            for line, sentence in enumerate(given, start=1)
        ]

    def _example(self, given: ExampleInput, line: int) -> Example:
        if isinstance(given, Example):
            parts: Sequence[SentenceInput] = given.sentences
        elif isinstance(given, (str, Sentence)):
            parts = [given]
        else:
            parts = given
        self._reader.check_count(len(parts), _PLACE, line)
        premise, *others = (self._sentence(part, line) for part in parts)
        example = Example(premise, others[0] if others else None, None, line)
        return self._checked(example, _PLACE, line)

    def _sentence(self, given: SentenceInput, line: int) -> Sentence:
        return given if isinstance(given, Sentence) else self._reader.sentence(given, _PLACE, line)

    def _checked(self, example: Example, place: str, line: int) -> Example:
        """Return an example that has the trees that are to be followed."""
        if self.source is not None and self.source.needs_parse and not example.is_parsed:
            raise no_parse(place, line)
        return example

    def _prediction(
        self, example: Example, row: int, probabilities: Floats, encodings: Encodings
    ) -> Prediction:
        count = len(example.sentences)
        rows = range(count * row, count * (row + 1))
        steps = None
        if encodings.steps is not None:
            pairs = zip(example.sentences, rows, strict=True)
            steps = tuple(steps_of(sentence, number, encodings) for sentence, number in pairs)
        assert encodings.vectors is not None
        return Prediction(
            self.labels[int(probabilities.argmax())],
            {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)},
            tuple(with_trees(example, row, encodings.trees)),
            self._unknown(example),
            encodings.vectors[rows.start : rows.stop],
            steps,
        )

    def _unknown(self, example: Example) -> tuple[str, ...]:
        words = [word for sentence in example.sentences for word in sentence.words]
        numbers = self.trained.vocabulary.numbers(words)
        unknown = (word for word, number in zip(words, numbers, strict=True) if number == UNKNOWN)
        return tuple(dict.fromkeys(unknown))


def _random_trees(dataset: PairDataset, source: TreeSource, seed: int) -> list[TransitionArray]:
    """Return the trees that an evaluation of each example alone would draw."""
    trees = []
    for row in range(len(dataset)):
        alone = dataset.take(np.array([row]))
        batch = next(Batcher(alone, source, batch_size=1, shuffle=False, seed=seed).batches())
        assert batch.transitions is not None
        for side, length in enumerate(batch.lengths.tolist()):
            tree = batch.transitions[: 2 * length - 1, side]
            trees.append(tree.numpy().astype(np.int8))
    return trees
