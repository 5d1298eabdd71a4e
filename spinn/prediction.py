"""What a predictor returns: trees, traces of how they were built, and predictions of examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spinn.data.examples import Sentence
from spinn.evaluation.drawing import draw_tree
from spinn.evaluation.records import prediction_record
from spinn.evaluation.svg import draw_svg
from spinn.inference import Floats
from spinn.support.errors import ConfigurationError
from spinn.transitions import Span, Transition, TransitionArray, fold, to_brackets, to_spans

if TYPE_CHECKING:
    import nltk


class Tree(Sentence):
    """A sentence with its tree; notebooks draw it.

    It can be given to a predictor in place of a text.

    Attributes
    ----------
    words
        The N words.
    transitions
        ``[2N - 1]``.

    """

    __slots__ = ()

    transitions: TransitionArray

    @property
    def brackets(self) -> str:
        """The tree in brackets.

        Raises
        ------
        TreeError
            If a word contains a blank or is a bracket.

        """
        return to_brackets(self.words, self.transitions)

    @property
    def spans(self) -> list[Span]:
        """The words ``(start, end)`` of each composed node, in order of composition."""
        return to_spans(self.transitions)

    def draw(self, width: int | None = 80, *, ascii_only: bool = False) -> str:
        """Draw the tree as text; see :func:`spinn.evaluation.drawing.draw_tree`."""
        return draw_tree(self.words, self.transitions, width, ascii_only=ascii_only)

    def to_svg(self) -> str:
        """Draw the tree as an SVG element; see :func:`spinn.evaluation.svg.draw_svg`."""
        return draw_svg(self.words, self.transitions)

    def _repr_svg_(self) -> str:
        """Draw the tree in a notebook."""
        return self.to_svg()

    def to_nltk(self) -> nltk.Tree:
        """Return the tree as one of NLTK, with the empty label at each node.

        Raises
        ------
        ConfigurationError
            If NLTK is not installed.

        """
        try:
            from nltk import Tree as NLTKTree
        except ImportError as error:
            raise ConfigurationError(
                "Trees of NLTK require NLTK; install it with: python -m pip install nltk"
            ) from error
        leaves: list[Any] = self.words
        tree = fold(leaves, self.transitions, lambda left, right: NLTKTree("", [left, right]))
        return NLTKTree("", [tree]) if len(self.words) == 1 else tree


@dataclass(frozen=True)
class Step:
    """A transition, and what the model saw before it.

    Attributes
    ----------
    transition
        ``"shift"`` or ``"reduce"``.
    probabilities
        Of ``"shift"`` and of ``"reduce"``; an illegal transition has probability 0. ``None`` if
        nothing scored them.
    stack
        The words and bracketed phrases on the stack, the topmost last.
    buffer
        The remaining words, the next one first.

    """

    transition: str
    probabilities: dict[str, float] | None
    stack: list[str]
    buffer: list[str]


@dataclass(frozen=True, eq=False)
class SentenceTrace:
    """The transitions of a sentence of N words, and how probable they were.

    An iteration yields the :class:`Step` of each transition.

    Attributes
    ----------
    tree
        The sentence, and the transitions that were taken.
    probabilities
        ``[2N - 1, 2]``, p(REDUCE) and p(SHIFT) before each transition. They sum to 1; an illegal
        transition has probability 0. ``None`` if nothing scored them.

    """

    tree: Tree
    probabilities: Floats | None

    def __len__(self) -> int:
        return len(self.tree.transitions)

    def __iter__(self) -> Iterator[Step]:
        stack: list[str] = []
        words, position = self.tree.words, 0
        for time, transition in enumerate(self.tree.transitions.tolist()):
            name = Transition(transition).name.lower()
            yield Step(name, self._probabilities(time), stack.copy(), words[position:])
            if transition == Transition.SHIFT:
                stack.append(words[position])
                position += 1
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(f"( {left} {right} )")

    def as_dict(self) -> dict[str, Any]:
        """Return the words and all steps, ready for JSON."""
        return {"words": self.tree.words, "steps": [vars(step) for step in self]}

    def _probabilities(self, time: int) -> dict[str, float] | None:
        if self.probabilities is None:
            return None
        reduce, shift = self.probabilities[time].tolist()
        return {"shift": shift, "reduce": reduce}


@dataclass(frozen=True, eq=False)
class Prediction:
    """The results for one example of S sentences.

    Attributes
    ----------
    label
        The most probable label.
    probabilities
        The probability of each label.
    sentences
        The words of each sentence; with the tree that the model followed, a :class:`Tree`, unless
        the encoder has none.
    unknown
        The words that are not in the vocabulary, in order of occurrence, without repetitions.
    vectors
        Sentence vectors ``[S, H]``; ``None`` if details were not requested.
    traces
        How each tree was built, without probabilities if details were not requested; ``None`` for
        encoders without trees.

    """

    label: str
    probabilities: dict[str, float]
    sentences: tuple[Sentence, ...]
    unknown: tuple[str, ...]
    vectors: Floats | None = field(repr=False)
    traces: tuple[SentenceTrace, ...] | None = field(repr=False)

    @property
    def trees(self) -> tuple[Tree, ...] | None:
        """The tree of each sentence; ``None`` for encoders without trees."""
        return None if self.traces is None else tuple(trace.tree for trace in self.traces)

    def as_dict(self) -> dict[str, Any]:
        """Return label, probabilities, sentences and unknown words, ready for JSON."""
        record = prediction_record(self.label, self.probabilities, self.sentences)
        return record | {"unknown": list(self.unknown)}
