"""How like two sets of trees are: unlabelled bracket F1, tree depth, accuracy of transitions.

The evaluate and ablate commands hand over trees as transitions and get the figures by which the
latent-tree literature compares parsers: agreement with the treebank's trees, agreement with trees
that need no parser, and depth. Parse F1 comes in many dialects; the :class:`Conventions` of a score
say which one was spoken, and every report repeats them in words.

Both trees of a comparison are binary and stand over the same words, so they have equally many
spans, and precision, recall and F1 are one number. That stays true where punctuation is dropped: a
binary tree that loses words, and the nodes left with one child, is a binary tree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spinn.errors import ConfigurationError
from spinn.transitions import (
    BRACKET_WORDS,
    FIXED_SHAPES,
    Span,
    Transition,
    TransitionArray,
    TreeError,
    to_brackets,
    to_spans,
    tokens_of,
)

Transitions = Sequence[int] | TransitionArray
Average = Literal["sentence", "corpus"]
ShortSentences = Literal["count", "skip"]
Punctuation = Literal["keep", "drop"]

SYMBOL_WORDS = frozenset("%&#@*")  # punctuation to Unicode, but words or symbols to a treebank
_ESCAPES = str.maketrans({sign: BRACKET_WORDS[sign] for sign in "()"})


def is_punctuation(word: str) -> bool:
    """Tell whether a word consists of punctuation only, or is a treebank's name for a bracket.

    The signs ``% & # @ *`` and currency signs are no punctuation, as treebank tags have it.
    """
    if word.isalnum():  # most words, and the quickest to tell
        return False
    if word in BRACKET_WORDS.values():
        return True
    marks = (sign == "`" or unicodedata.category(sign).startswith("P") for sign in word)
    return word not in SYMBOL_WORDS and word != "" and all(marks)


def to_treebank(words: Sequence[str], transitions: Transitions) -> str:
    """Write a tree in the manner of the Penn Treebank: ``(X (X (T the) (T dog)) (T runs))``.

    Words are labelled ``T``, punctuation ``P``, so that evalb can be told to drop it; a bracket
    within a word becomes ``-LRB-`` or ``-RRB-``.

    Raises
    ------
    TreeError
        If the transitions are not a tree over these words.

    """
    escaped = [word.translate(_ESCAPES) for word in words]
    leaves = iter(
        f"({'P' if is_punctuation(word) else 'T'} {written})"
        for word, written in zip(words, escaped, strict=True)
    )
    nodes = {"(": "(X", ")": ")"}
    tokens = tokens_of(to_brackets(escaped, transitions))
    return " ".join(nodes.get(token) or next(leaves) for token in tokens).replace(" )", ")")


@dataclass(frozen=True)
class Conventions:
    """What is counted, and how it is averaged, in a parse F1.

    The defaults are those of Williams, Drozdov and Bowman (2018, arXiv 1709.01121) and the script
    published with it: F1 is taken per sentence and averaged over all sentences, the shortest
    included; the span of the whole sentence counts; punctuation is kept.
    """

    root: bool = True
    """Whether the span of the whole sentence, which every tree has, counts."""
    one_word_spans: bool = False
    """Whether the span of each single word, which every tree has, counts."""
    short_sentences: ShortSentences = "count"
    """Whether sentences of fewer than three words, which have one tree only, count or are skipped.

    Where such a sentence counts and leaves no span to compare, its F1 is 1.
    """
    average: Average = "sentence"
    """The mean of the sentences' F1, or one F1 from the spans of the whole corpus."""
    punctuation: Punctuation = "keep"
    """Whether words that are punctuation stay, or leave the sentence before spans are compared."""

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
        """Put the conventions in words, for a reader of the score."""
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
        """Choose the spans that count, from all spans of a tree over ``length`` words.

        Returns
        -------
        The spans, and how many words the sentence has for this comparison.

        Raises
        ------
        ValueError
            If punctuation is to be dropped and the words are not given, or not as many as the tree
            has.

        """
        if self.punctuation == "keep":
            chosen = set(spans)
        else:
            if words is None or len(words) != length:
                raise ValueError("dropping punctuation takes the words, as many as the tree has")
            kept = [not is_punctuation(word) for word in words]
            before = list(accumulate(kept, initial=0))  # kept words that precede each position
            moved = ((before[start], before[end]) for start, end in spans)
            chosen = {(start, end) for start, end in moved if end - start > 1}
            length = before[-1]
        if self.one_word_spans:
            chosen.update((start, start + 1) for start in range(length))
        if not self.root:
            chosen.discard((0, length))
        return chosen, length


@dataclass
class ParseScore:
    """Parse F1, sentence by sentence; all scores are fractions from 0 to 1, and 0 before any tree.

    Parameters
    ----------
    conventions
        What counts; see :class:`Conventions`.

    """

    conventions: Conventions = field(default_factory=Conventions)
    count: int = field(default=0, init=False)
    """Sentences that count."""
    skipped: int = field(default=0, init=False)
    """Sentences left out for being short."""
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
            The N words; needed only where punctuation is dropped.

        Raises
        ------
        TreeError
            If the transitions are not trees over equally many words.
        ValueError
            If punctuation is to be dropped and the words are not given.

        """
        self.add_spans(all_spans(predicted), all_spans(gold), words)

    def add_spans(
        self, predicted: list[Span], gold: list[Span], words: Sequence[str] | None = None
    ) -> None:
        """Compare two trees given as all their spans, as from :func:`all_spans`."""
        if len(predicted) != len(gold):
            raise TreeError(
                f"the predicted tree has {len(predicted) + 1} words where the gold tree has "
                f"{len(gold) + 1}"
            )
        choose = self.conventions.spans_to_compare
        gold_spans, length = choose(gold, len(gold) + 1, words)
        if length < 3 and self.conventions.short_sentences == "skip":
            self.skipped += 1
            return
        predicted_spans, _ = choose(predicted, len(predicted) + 1, words)
        matched = len(predicted_spans & gold_spans)
        self.count += 1
        self._matched += matched
        self._total += len(gold_spans)
        self._sentence_sum += matched / len(gold_spans) if gold_spans else 1.0

    @property
    def sentence_f1(self) -> float:
        """The mean of the sentences' F1."""
        return self._sentence_sum / self.count if self.count else 0.0

    @property
    def corpus_f1(self) -> float:
        """The F1 of all spans of the corpus together; long sentences weigh more."""
        return self._matched / self._total if self._total else 0.0

    @property
    def f1(self) -> float:
        """The score that the conventions ask for: :attr:`sentence_f1` or :attr:`corpus_f1`."""
        return self.sentence_f1 if self.conventions.average == "sentence" else self.corpus_f1

    def as_dict(self) -> dict[str, Any]:
        """Give the scores, and the conventions in words, ready for JSON."""
        return {
            "f1": self.f1,
            "sentence_f1": self.sentence_f1,
            "corpus_f1": self.corpus_f1,
            "sentences": self.count,
            "skipped": self.skipped,
            "conventions": self.conventions.describe(),
        }


def all_spans(transitions: Transitions) -> list[Span]:
    """List the N - 1 spans of a tree given as an array or a sequence of transitions."""
    # Python's own integers pass through the loop several times faster than numpy's.
    return to_spans(np.asarray(transitions).tolist())


def compare_with_shapes(
    trees: Iterable[Transitions],
    conventions: Conventions | None = None,
    sentences: Iterable[Sequence[str]] | None = None,
) -> dict[str, float]:
    """Score trees against the shapes that need no parser, over the same words.

    Parameters
    ----------
    trees
        Transitions ``[2N - 1]``, one tree a sentence.
    conventions
        What counts; the defaults of :class:`Conventions` unless given.
    sentences
        The words under each tree; needed only where punctuation is dropped. The shape is laid over
        all words, and the punctuation then leaves both trees.

    Returns
    -------
    F1 by the name of the shape, as in :data:`spinn.transitions.FIXED_SHAPES`.

    Raises
    ------
    TreeError
        If a tree is none.
    ValueError
        If there are not as many sentences as trees, or punctuation is to be dropped and the words
        are not given.

    """
    scores = {name: ParseScore(conventions or Conventions()) for name in FIXED_SHAPES}
    shape_spans: dict[tuple[str, int], list[Span]] = {}
    pairs: Iterable[tuple[Transitions, Sequence[str] | None]]
    pairs = (
        ((tree, None) for tree in trees)
        if sentences is None
        else zip(trees, sentences, strict=True)
    )
    for tree, words in pairs:
        spans = all_spans(tree)
        for name, shape in FIXED_SHAPES.items():
            key = (name, len(spans) + 1)
            if key not in shape_spans:
                shape_spans[key] = all_spans(shape(len(spans) + 1))
            scores[name].add_spans(spans, shape_spans[key], words)
    return {name: score.f1 for name, score in scores.items()}


def mean_depth(trees: Iterable[Transitions]) -> float:
    """Average the depth of trees, as Williams et al. (2018) do.

    The depth of a word is the number of nodes above it, that of a tree is the mean over its words,
    and the result is the mean over the trees: 0 for sentences of one word, and for no trees at all.

    Raises
    ------
    TreeError
        If a tree is none.

    """
    total, count = 0.0, 0
    for tree in trees:
        spans = all_spans(tree)
        # A node stands above each word of its span, so the depths add up to the spans' lengths.
        total += sum(end - start for start, end in spans) / (len(spans) + 1)
        count += 1
    return total / count if count else 0.0


@dataclass
class TransitionAccuracy:
    """How often a transition is the gold one, step by step.

    Of the trees that a model takes by itself, steps after a wrong one are counted as they come:
    the same step of the gold tree may stand in another state.

    Many steps leave no choice: with fewer than two items on the stack only SHIFT is legal, with an
    empty buffer only REDUCE. The steps where both are legal are the *free* ones, and the accuracy
    over them is the telling figure. Both accuracies are fractions from 0 to 1, and 0 before any
    step.
    """

    steps: int = field(default=0, init=False)
    """Steps seen."""
    free_steps: int = field(default=0, init=False)
    """Steps at which both transitions were legal."""
    _right: int = field(default=0, init=False, repr=False)
    _free_right: int = field(default=0, init=False, repr=False)

    def update(self, predicted: Transitions, gold: Transitions) -> None:
        """Add the steps of one sentence or of a batch.

        Parameters
        ----------
        predicted
            The transition predicted at each step, ``[T]`` or ``[T, B]``; it need not be legal.
        gold
            The gold transitions, of the same shape; steps that hold PAD are passed over.

        Raises
        ------
        ValueError
            If the shapes differ.
        TreeError
            If the gold transitions are not trees.

        """
        gold_steps, predicted_steps = np.asarray(gold), np.asarray(predicted)
        if gold_steps.shape != predicted_steps.shape:
            raise ValueError(f"predicted is {predicted_steps.shape}, gold {gold_steps.shape}")
        used = gold_steps != Transition.PAD
        free = _free_steps(gold_steps, used)
        right = (gold_steps == predicted_steps) & used
        self.steps += int(used.sum())
        self.free_steps += int(free.sum())
        self._right += int(right.sum())
        self._free_right += int((right & free).sum())

    @property
    def accuracy(self) -> float:
        """The share of all steps that are right."""
        return self._right / self.steps if self.steps else 0.0

    @property
    def free_accuracy(self) -> float:
        """The share of the free steps that are right."""
        return self._free_right / self.free_steps if self.free_steps else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give the figures, ready for JSON."""
        return {
            "accuracy": self.accuracy,
            "free_accuracy": self.free_accuracy,
            "steps": self.steps,
            "free_steps": self.free_steps,
        }


def _free_steps(gold: NDArray[Any], used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the steps of gold trees ``[T]`` or ``[T, B]`` at which SHIFT and REDUCE are legal."""
    shift = (gold == Transition.SHIFT).astype(np.int64)
    change = shift - (gold == Transition.REDUCE)
    depth = change.cumsum(axis=0)  # stack items after each step
    waiting = shift.sum(axis=0) - shift.cumsum(axis=0)  # words left in the buffer after each step
    is_step = np.isin(gold, (Transition.SHIFT, Transition.REDUCE))
    if gold.shape[0] == 0 or (used & ~is_step).any() or (depth < 1).any() or (depth[-1] != 1).any():
        raise TreeError("the gold transitions are not a tree")
    result: NDArray[np.bool_] = used & (depth - change > 1) & (waiting + shift > 0)
    return result
