"""Scores of trees: unlabelled bracket F1 and depth.

These are the metrics by which the latent-tree literature compares parsers: agreement with the
parser's trees, agreement with shapes that need no parser, and depth. Definitions of parse F1 vary,
so :class:`Conventions` states the one of a score, and every report includes its description.

Both trees of a comparison are binary and cover the same words, so they have the same number of
spans, and precision, recall and F1 are equal. This also holds if punctuation is dropped: a binary
tree remains binary when words are removed together with nodes left with one child.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, get_args

import numpy as np

from spinn.evaluation.ratios import figure, ratio
from spinn.evaluation.treebank import is_punctuation
from spinn.support.errors import ConfigurationError
from spinn.transitions import FIXED_SHAPES, Span, Transitions, TreeError, to_spans

Average = Literal["sentence", "corpus"]
ShortSentences = Literal["count", "skip"]
Punctuation = Literal["keep", "drop"]


@dataclass(frozen=True)
class Conventions:
    """The conventions of a parse F1: what is counted, and how it is averaged.

    The defaults are those of Williams, Drozdov and Bowman (2018, arXiv 1709.01121) and their
    published script: F1 is computed per sentence and averaged over all sentences, including the
    shortest; the root span is counted; punctuation is kept.
    """

    root: bool = True
    """Whether the span of the whole sentence, which is part of every tree, is counted."""
    one_word_spans: bool = False
    """Whether the spans of single words, which are part of every tree, are counted."""
    short_sentences: ShortSentences = "count"
    """Whether sentences of fewer than three words, which have only one tree, count or are skipped.

    The F1 of a sentence without spans to compare is 1.
    """
    average: Average = "sentence"
    """Mean F1 over sentences, or one F1 over the spans of the whole corpus."""
    punctuation: Punctuation = "keep"
    """Whether punctuation is kept, or removed before spans are compared."""

    def __post_init__(self) -> None:
        for name, choices in (
            ("short_sentences", get_args(ShortSentences)),
            ("average", get_args(Average)),
            ("punctuation", get_args(Punctuation)),
        ):
            if getattr(self, name) not in choices:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)!r}; choose {' or '.join(choices)}."
                )

    def describe(self) -> str:
        """Return a description of the conventions, for reports."""
        average = {
            "sentence": "mean over sentences",
            "corpus": "from the spans of the whole corpus",
        }
        root = "counted" if self.root else "not counted"
        words = "counted" if self.one_word_spans else "not counted"
        short = "counted" if self.short_sentences == "count" else "skipped"
        punctuation = "kept" if self.punctuation == "keep" else "dropped"
        return (
            f"unlabelled bracket F1, {average[self.average]}; root span {root}; "
            f"one-word spans {words}; sentences of fewer than 3 words {short}; "
            f"punctuation {punctuation}"
        )

    def spans_to_compare(
        self, spans: Iterable[Span], length: int, words: Sequence[str] | None
    ) -> tuple[set[Span], int]:
        """Select the spans that are counted, from all spans of a tree over ``length`` words.

        Returns
        -------
        The spans, and the number of words in this comparison.

        Raises
        ------
        ValueError
            If punctuation is dropped and ``words`` is missing or not of the length of the tree.

        """
        if self.punctuation == "keep":
            selected = set(spans)
        else:
            if words is None or len(words) != length:
                raise ValueError("dropping punctuation requires the words of the tree")
            kept = [not is_punctuation(word) for word in words]
            before = list(accumulate(kept, initial=0))  # number of kept words before each position
            moved = ((before[start], before[end]) for start, end in spans)
            selected = {(start, end) for start, end in moved if end - start > 1}
            length = before[-1]
        if self.one_word_spans:
            selected.update((start, start + 1) for start in range(length))
        if not self.root:
            selected.discard((0, length))
        return selected, length


@dataclass
class ParseScore:
    """Parse F1 as a fraction from 0 to 1, accumulated over sentences; NaN without sentences.

    Parameters
    ----------
    conventions
        What is counted, and how it is averaged.

    """

    conventions: Conventions = field(default_factory=Conventions)
    count: int = field(default=0, init=False)
    """Number of sentences counted."""
    skipped: int = field(default=0, init=False)
    """Number of sentences skipped because they are short."""
    _sentence_sum: float = field(default=0.0, init=False, repr=False)
    _matched: int = field(default=0, init=False, repr=False)
    _total: int = field(default=0, init=False, repr=False)

    def update(
        self, predicted: Transitions, gold: Transitions, words: Sequence[str] | None = None
    ) -> None:
        """Compare two trees over the same N words.

        Parameters
        ----------
        predicted, gold
            Transitions ``[2N - 1]``, without padding.
        words
            The N words; required if punctuation is dropped.

        Raises
        ------
        TreeError
            If the transitions are not trees over the same number of words.
        ValueError
            If punctuation is dropped and the words are missing.

        """
        self.add_spans(all_spans(predicted), all_spans(gold), words)

    def add_spans(
        self, predicted: list[Span], gold: list[Span], words: Sequence[str] | None = None
    ) -> None:
        """Compare two trees given as lists of spans; see :func:`all_spans`."""
        if len(predicted) != len(gold):
            raise TreeError(
                f"the predicted tree has {len(predicted) + 1} words where the gold tree has "
                f"{len(gold) + 1}"
            )
        select = self.conventions.spans_to_compare
        gold_spans, length = select(gold, len(gold) + 1, words)
        if length < 3 and self.conventions.short_sentences == "skip":
            self.skipped += 1
            return
        predicted_spans, _ = select(predicted, len(predicted) + 1, words)
        matched = len(predicted_spans & gold_spans)
        self.count += 1
        self._matched += matched
        self._total += len(gold_spans)
        self._sentence_sum += matched / len(gold_spans) if gold_spans else 1.0

    @property
    def sentence_f1(self) -> float:
        """Mean F1 over sentences."""
        return ratio(self._sentence_sum, self.count)

    @property
    def corpus_f1(self) -> float:
        """F1 over all spans of the corpus; long sentences have more weight."""
        return ratio(self._matched, self._total)

    @property
    def f1(self) -> float:
        """:attr:`sentence_f1` or :attr:`corpus_f1`, according to the conventions."""
        return self.sentence_f1 if self.conventions.average == "sentence" else self.corpus_f1

    def as_dict(self) -> dict[str, Any]:
        """Return the scores and a description of the conventions as a dictionary for JSON."""
        return {
            "f1": figure(self.f1),
            "sentence_f1": figure(self.sentence_f1),
            "corpus_f1": figure(self.corpus_f1),
            "sentences": self.count,
            "skipped": self.skipped,
            "conventions": self.conventions.describe(),
        }


def all_spans(transitions: Transitions) -> list[Span]:
    """Return the N - 1 spans of a tree given as an array or a sequence of transitions."""
    # Loops over Python integers are several times faster than over numpy scalars.
    return to_spans(np.asarray(transitions).tolist())


def compare_with_shapes(
    trees: Iterable[Transitions],
    conventions: Conventions | None = None,
    sentences: Iterable[Sequence[str]] | None = None,
) -> dict[str, float]:
    """Score trees against shapes that need no parser.

    Parameters
    ----------
    trees
        Transitions ``[2N - 1]`` of each tree.
    conventions
        What is counted; by default ``Conventions()``.
    sentences
        The words of each tree; required if punctuation is dropped. Shapes are built over all words,
        before punctuation is removed from both trees.

    Returns
    -------
    F1 by name of the shape, as in :data:`spinn.transitions.FIXED_SHAPES`; NaN if no sentence is
    counted.

    Raises
    ------
    TreeError
        If the transitions of a sentence are not a tree.
    ValueError
        If the numbers of sentences and trees differ, or punctuation is dropped and the words are
        missing.

    """
    scores = ShapeScores(conventions or Conventions())
    pairs: Iterable[tuple[Transitions, Sequence[str] | None]]
    pairs = (
        ((tree, None) for tree in trees)
        if sentences is None
        else zip(trees, sentences, strict=True)
    )
    for tree, words in pairs:
        scores.add_spans(all_spans(tree), words)
    return {name: score.f1 for name, score in scores.scores.items()}


class ShapeScores:
    """Parse F1 of trees with each of the shapes that need no parser, accumulated over sentences.

    Parameters
    ----------
    conventions
        What is counted.

    """

    def __init__(self, conventions: Conventions) -> None:
        self.scores = {name: ParseScore(conventions) for name in FIXED_SHAPES}
        self._spans: dict[tuple[str, int], list[Span]] = {}

    def add_spans(self, spans: list[Span], words: Sequence[str] | None) -> None:
        """Compare a tree given as its spans, see :func:`all_spans`, with each shape."""
        length = len(spans) + 1
        for name, shape in FIXED_SHAPES.items():
            key = (name, length)
            if key not in self._spans:
                self._spans[key] = all_spans(shape(length))
            self.scores[name].add_spans(spans, self._spans[key], words)


def mean_depth(trees: Iterable[Transitions]) -> float:
    """Return the mean depth of trees as defined by Williams et al. (2018).

    The depth of a word is the number of nodes above it, and the depth of a tree is the mean over
    its words, 0 for a single word. The result is the mean over trees, NaN without trees.

    Raises
    ------
    TreeError
        If the transitions of a sentence are not a tree.

    """
    depth = MeanDepth()
    for tree in trees:
        depth.add_spans(all_spans(tree))
    return depth.mean


@dataclass
class MeanDepth:
    """The mean depth of trees, accumulated; see :func:`mean_depth`."""

    _sum: float = field(default=0.0, init=False, repr=False)
    _count: int = field(default=0, init=False, repr=False)

    def add_spans(self, spans: list[Span]) -> None:
        """Add a tree given as its spans, see :func:`all_spans`."""
        # A node is above each word of its span, so the depths sum to the lengths of the spans.
        self._sum += sum(end - start for start, end in spans) / (len(spans) + 1)
        self._count += 1

    @property
    def mean(self) -> float:
        """The mean; NaN without trees."""
        return ratio(self._sum, self._count)
