"""Predictions of a trained model for sentences given as text.

:class:`Predictor` takes sentences and returns labels, probabilities, sentence vectors, trees and
the steps that built them. It tokenises, sorts and batches; results are in the order of the input
and, up to rounding, do not depend on the batch that a sentence is in.

Every method takes one item or a list, and returns one result or a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch

from spinn.data.dataset import PairDataset, numericalise
from spinn.data.examples import SENTENCE, Example, ExampleKind, Sentence
from spinn.data.inputs import (
    PLACE,
    ExampleInput,
    OneExample,
    SentenceInput,
    example_of,
    is_one_example,
    is_one_sentence,
    sentence_of,
)
from spinn.data.readers import no_parse
from spinn.data.text import TextReader
from spinn.data.vocabulary import UNKNOWN
from spinn.inference import (
    Encodings,
    Floats,
    Inference,
    Outputs,
    random_trees_alone,
    require_finite,
    with_trees,
)
from spinn.prediction import Prediction, SentenceTrace, Tree
from spinn.pretrained import SHIPPED, TrainedModel, load_trained
from spinn.sharing import Shared
from spinn.support.errors import ConfigurationError
from spinn.support.runtime import choose_device
from spinn.trees import TreeSource, tree_source


class Predictor(Shared):
    """Apply a trained model to sentences, in the precision it was trained in.

    Parameters
    ----------
    trained
        The model, on the device where it is to run.
    trees
        Name of the tree source to follow; by default that of the model. Where these are the
        parser's trees (``"gold"``), text without a tree is parsed by spaCy: by the pipeline of the
        run's ``--parser``, if any, or else ``en_core_web_sm``. Formulas and expressions have to be
        given as trees. Random trees depend on the seed of the run and on the lengths of the
        sentences of an example.
    batch_size
        Number of examples in a batch.

    Raises
    ------
    ConfigurationError
        If the model cannot follow these trees, or batches would have no examples.

    """

    def __init__(
        self, trained: TrainedModel, *, trees: str | None = None, batch_size: int = 256
    ) -> None:
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}; it must be at least 1.")
        self.trained = trained
        self.source: TreeSource | None = trained.tree_source(trees)
        self.batch_size = batch_size
        file_format = trained.file_format
        self._reader = TextReader(
            trained.kind, None if file_format is None else file_format.rewrite
        )
        self._parser = trained.sentence_parser(self.source)

    @classmethod
    def load(
        cls,
        path: str | Path = SHIPPED,
        checkpoint: str = "best",
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
        trees: str | None = None,
        batch_size: int = 256,
    ) -> Predictor:
        """Load a predictor from the folder of a trained model or of a run, or from the Hub.

        Without a path, it is the model that comes with the package.

        Parameters
        ----------
        path, checkpoint, revision
            See :func:`spinn.pretrained.load_trained`.
        device
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, or a device.
        trees, batch_size
            See :class:`Predictor`.

        Raises
        ------
        SpinnError
            If the model cannot be loaded, there is no such device, or the model cannot follow these
            trees.

        """
        place = choose_device(device) if isinstance(device, str) else device
        trained = load_trained(Path(path), checkpoint, revision=revision).to(place)
        return cls(trained, trees=trees, batch_size=batch_size)

    from_pretrained = load  # the name that libraries have in common

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the model."""
        return self.trained.labels

    @property
    def kind(self) -> ExampleKind:
        """Kind of the examples that the model classifies."""
        return self.trained.kind

    def read(self, texts: Sequence[str], place: str = PLACE, line: int = 1) -> Example:
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

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, examples: OneExample, *, details: bool = True
    ) -> Prediction: ...

    @overload
    def predict(
        self, examples: Iterable[ExampleInput], *, details: bool = True
    ) -> list[Prediction]: ...

    def predict(
        self, examples: OneExample | Iterable[ExampleInput], *, details: bool = True
    ) -> Prediction | list[Prediction]:
        """Classify examples.

        Parameters
        ----------
        examples
            Pairs ``(premise, hypothesis)``, or single sentences, as the model takes them; or one
            of them: a tuple, or a string.
        details
            Whether to return sentence vectors and the probabilities of transitions, too.

        Returns
        -------
        A prediction for each example in a list; one prediction for one example.

        Raises
        ------
        ConfigurationError
            If a sentence has to be parsed, and spaCy's pipeline is not installed.
        DataError
            If an example cannot be read, is of the other kind, or lacks the tree that is to be
            followed.

        """
        if is_one_example(examples):
            return self.predict([examples], details=details)[0]
        read = [
            self._checked(example_of(one, line, self._reader), PLACE, line)
            for line, one in enumerate(examples, start=1)
        ]
        if not read:
            return []
        inference, dataset = self._prepare(read, self.kind)
        outputs = inference.classify(dataset, details=details)
        require_finite(outputs.probabilities)
        return [self._prediction(example, row, outputs) for row, example in enumerate(read)]

    def encode(self, sentences: SentenceInput | Iterable[SentenceInput]) -> Floats:
        """Return the vectors ``[n, H]`` of n sentences, or the vector ``[H]`` of one.

        Parameters
        ----------
        sentences
            A list of sentences, or one sentence.

        Raises
        ------
        ConfigurationError
            If the model reads both sentences of a pair together (``--leaf-context aligned``), or a
            sentence has to be parsed and spaCy's pipeline is not installed.
        DataError
            If a sentence cannot be read, or lacks the tree that is to be followed.

        """
        if is_one_sentence(sentences):
            return self.encode([sentences])[0]
        read = self._alone(sentences)
        if not read:
            return np.zeros((0, self.trained.model.encoder.output_size), dtype=np.float32)
        inference, dataset = self._prepare(read, SENTENCE)
        vectors = inference.encode(dataset).vectors
        assert vectors is not None
        require_finite(vectors)
        return vectors

    @overload
    def parse(self, sentences: SentenceInput) -> Tree: ...  # type: ignore[overload-overlap]

    @overload
    def parse(self, sentences: Iterable[SentenceInput]) -> list[Tree]: ...

    def parse(self, sentences: SentenceInput | Iterable[SentenceInput]) -> Tree | list[Tree]:
        """Return the trees that the model follows, of a list of sentences or of one.

        Parameters and errors are those of :meth:`encode`.

        Raises
        ------
        ConfigurationError
            Also if the encoder has no trees.

        """
        if is_one_sentence(sentences):
            return self.parse([sentences])[0]
        read = self._alone(sentences)
        return [Tree(*one.premise) for one in self._parsed(read, SENTENCE)]

    @overload
    def trace(self, sentences: SentenceInput) -> SentenceTrace: ...  # type: ignore[overload-overlap]

    @overload
    def trace(  # type: ignore[overload-overlap]
        self, sentences: tuple[SentenceInput, SentenceInput]
    ) -> tuple[SentenceTrace, ...]: ...

    @overload
    def trace(self, sentences: Iterable[SentenceInput]) -> list[SentenceTrace]: ...

    def trace(
        self, sentences: OneExample | Iterable[SentenceInput]
    ) -> SentenceTrace | Sequence[SentenceTrace]:
        """Return the steps that build the trees of a list of sentences, of one, or of a pair.

        A pair ``(premise, hypothesis)`` is read as by :meth:`predict`. Probabilities are those of
        the tracker or the parser, also if it does not choose the transitions.

        Parameters and errors are those of :meth:`encode`.

        Raises
        ------
        ConfigurationError
            Also if the encoder has no trees.

        """
        self._require_trees()
        if is_one_sentence(sentences):
            return self.trace([sentences])[0]
        if is_one_example(sentences):
            return self.predict(sentences).traces or ()
        read = self._alone(sentences)
        if not read:
            return []
        inference, dataset = self._prepare(read, SENTENCE)
        encodings = inference.parse(dataset, steps=True)
        return [
            _trace_of(one, row, encodings)
            for row, example in enumerate(read)
            for one in with_trees(example, row, encodings.trees)
        ]

    def parse_examples(self, examples: Sequence[Example]) -> list[Example]:
        """Return examples with the trees that the model follows in place of their own.

        Raises
        ------
        ConfigurationError
            If the encoder has no trees.
        DataError
            If an example lacks the tree that is to be followed.

        """
        checked = [self._checked(one, PLACE, line) for line, one in enumerate(examples, start=1)]
        return self._parsed(checked, self.kind)

    def _parsed(self, examples: list[Example], kind: ExampleKind) -> list[Example]:
        self._require_trees()
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

    def _require_trees(self) -> None:
        if self.source is None:
            raise ConfigurationError(f"{self.trained.configuration.form} has no trees.")

    def _prepare(self, examples: list[Example], kind: ExampleKind) -> tuple[Inference, PairDataset]:
        """Return the examples as numbers, and what runs the model on them."""
        trained, source = self.trained, self.source
        if self._parser is not None:
            examples = list(self._parser.complete(examples))
        unlabelled = (example._replace(label=None) for example in examples)
        dataset = numericalise(unlabelled, trained.vocabulary, trained.labels, kind)
        if source is not None and source.random:
            # In a batch, random trees depend on the other examples; here each is drawn alone.
            dataset = dataset.with_trees(random_trees_alone(dataset, source, trained.seed))
            source = tree_source("gold")
        inference = Inference(
            trained.model,
            source,
            self.batch_size,
            trained.precision,
            trained.seed,
            progress=True,
        )
        return inference, dataset

    def _alone(self, sentences: Iterable[SentenceInput]) -> list[Example]:
        """Read sentences as examples of one sentence each."""
        if self.trained.model.leaves.needs_pairs:
            raise ConfigurationError(
                "This model reads the two sentences of a pair together (--leaf-context aligned); "
                "give pairs to predict."
            )
        return [
            self._checked(
                Example(sentence_of(sentence, line, self._reader), None, None, line), PLACE, line
            )
            for line, sentence in enumerate(sentences, start=1)
        ]

    def _checked(self, example: Example, place: str, line: int) -> Example:
        """Return an example that has the trees that are to be followed, or can be parsed."""
        needs_parse = self.source is not None and self.source.needs_parse
        if needs_parse and self._parser is None and not example.is_parsed:
            raise no_parse(place, line)
        return example

    def _prediction(self, example: Example, row: int, outputs: Outputs) -> Prediction:
        probabilities, encodings = outputs.probabilities[row], outputs.encodings
        sentences = with_trees(example, row, encodings.trees)
        first = len(sentences) * row
        traces = None
        if encodings.trees is not None:
            traces = tuple(
                _trace_of(sentence, first + side, encodings)
                for side, sentence in enumerate(sentences)
            )
            sentences = [trace.tree for trace in traces]
        vectors = encodings.vectors
        return Prediction(
            self.labels[int(probabilities.argmax())],
            {label: float(p) for label, p in zip(self.labels, probabilities, strict=True)},
            tuple(sentences),
            self._unknown(example),
            None if vectors is None else vectors[first : first + len(sentences)],
            traces,
        )

    def _unknown(self, example: Example) -> tuple[str, ...]:
        words = [word for sentence in example.sentences for word in sentence.words]
        numbers = self.trained.vocabulary.numbers(words)
        unknown = (word for word, number in zip(words, numbers, strict=True) if number == UNKNOWN)
        return tuple(dict.fromkeys(unknown))


def _trace_of(sentence: Sentence, row: int, encodings: Encodings) -> SentenceTrace:
    """Return the trace of a sentence with its tree, which is number ``row`` of those encoded."""
    return SentenceTrace(Tree(*sentence), None if encodings.steps is None else encodings.steps[row])
