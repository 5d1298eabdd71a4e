"""The registry of tree sources: where the transitions of a run come from.

``--trees`` names a source. Some sources provide the trees of each batch (the parser's, a fixed
shape, random shapes). With the others the model chooses transitions while it encodes (predictions
of the tracker, or samples from its policy). The data side gets transitions from a source, and the
training side reads from it what the model must be able to do; neither depends on names.

The Gumbel Tree-LSTM always builds its trees itself. It has a source, so its trees are evaluated
like those of other models, but ``--trees`` does not accept it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spinn.support.errors import ConfigurationError
from spinn.support.options import Condition, Group, Values, option
from spinn.support.registry import Choices
from spinn.support.text import did_you_mean
from spinn.transitions import FIXED_SHAPES, RANDOM_SHAPES, Transition, TransitionArray

# Maps lengths [B], the parser's transitions [T, B] and a random generator to transitions [T, B].
Draw = Callable[[NDArray[np.int64], TransitionArray, np.random.Generator], TransitionArray]


@dataclass(frozen=True)
class TreeSource:
    """A source of trees.

    Attributes
    ----------
    name
        The value of ``--trees``.
    summary
        One line for ``--help``.
    draw
        Returns the transitions of a batch; ``None`` if the model chooses them.
    needs_parse
        Whether the data must have a parse of every sentence.
    needs_tracker
        Whether the tracker of the model chooses the transitions.
    random
        Whether the trees differ between epochs.
    sampled
        If the model chooses: whether it samples during training (policy learning) or follows a
        teacher.

    """

    name: str
    summary: str
    draw: Draw | None = None
    needs_parse: bool = False
    needs_tracker: bool = False
    random: bool = False
    sampled: bool = False

    @property
    def chosen_by_model(self) -> bool:
        """Whether the model chooses the transitions."""
        return self.draw is None


def _gold(
    lengths: NDArray[np.int64], gold: TransitionArray, random: np.random.Generator
) -> TransitionArray:
    return gold


def _fixed(
    shape: Callable[[int], TransitionArray],
    lengths: NDArray[np.int64],
    gold: TransitionArray,
    random: np.random.Generator,
) -> TransitionArray:
    result = np.full((2 * int(lengths.max()) - 1, len(lengths)), Transition.PAD, dtype=np.int8)
    for length in np.unique(lengths):
        result[: 2 * length - 1, lengths == length] = shape(int(length))[:, None]
    return result


def _random(
    shape: Callable[[NDArray[np.int64], np.random.Generator], TransitionArray],
    lengths: NDArray[np.int64],
    gold: TransitionArray,
    random: np.random.Generator,
) -> TransitionArray:
    return shape(lengths, random)


_SUMMARIES = {
    "left": "left-branching trees",
    "right": "right-branching trees",
    "balanced": "balanced trees",
    "random": "random trees, uniform over all binary trees, fresh in every epoch",
    "random-shift": "random trees, a fair coin between shift and reduce, fresh in every epoch",
}

TREE_SOURCES: dict[str, TreeSource] = {
    source.name: source
    for source in [
        TreeSource("gold", "the parser's trees, from the data", _gold, needs_parse=True),
        *(
            TreeSource(name, _SUMMARIES[name], partial(_fixed, shape))
            for name, shape in FIXED_SHAPES.items()
        ),
        *(
            TreeSource(name, _SUMMARIES[name], partial(_random, shape), random=True)
            for name, shape in RANDOM_SHAPES.items()
        ),
        TreeSource(
            "predicted",
            "the tracker's own trees, learned from a teacher's (--predict)",
            needs_tracker=True,
        ),
        TreeSource(
            "sampled",
            "a parser's own trees, learned from the labels (--rl)",
            needs_tracker=True,
            sampled=True,
        ),
    ]
}

GUMBEL_TREES = TreeSource("gumbel", "the trees that the Gumbel Tree-LSTM builds bottom-up")


def tree_source(name: str) -> TreeSource:
    """Return the tree source of this name.

    Raises
    ------
    ConfigurationError
        If there is no such source.

    """
    try:
        return TREE_SOURCES[name]
    except KeyError:
        meant, known = did_you_mean(name, TREE_SOURCES), ", ".join(TREE_SOURCES)
        raise ConfigurationError(
            f"There are no trees called {name!r}{meant}; choose from {known}."
        ) from None


@dataclass(frozen=True)
class TreeOptions:
    """Where the transitions of the shift-reduce encoder come from."""

    trees: str | None = option(
        None, "where transitions come from (default: gold)", choices=Choices(TREE_SOURCES)
    )


def source_of(encoder: str, trees: str | None) -> TreeSource | None:
    """Return where the transitions of an encoder come from; ``None`` if it has none.

    Parameters
    ----------
    encoder, trees
        The options of these names.

    """
    if encoder == "gumbel":
        return GUMBEL_TREES
    return tree_source(trees or "gold") if encoder == "spinn" else None


def _tracked(values: Values) -> TreeSource | None:
    """Return the source of the transitions if the tracker or a parser chooses them."""
    source = source_of(values["encoder"], values["trees"])
    return source if source is not None and source.needs_tracker else None


def _predicts(values: Values) -> bool:
    source = _tracked(values)
    return source is not None and not source.sampled


def _samples(values: Values) -> bool:
    source = _tracked(values)
    return source is not None and source.sampled


def follows_parses(values: Values) -> bool:
    """Return whether training follows trees that the data must have, or learns from them."""
    if _predicts(values):
        return tree_source(values["teacher"]).needs_parse
    source = source_of(values["encoder"], values["trees"])
    return source is not None and source.needs_parse


WITH_SPINN = Condition(lambda values: values["encoder"] == "spinn", "it belongs to --encoder spinn")
WITH_CHOSEN_TREES = Condition(
    lambda values: _tracked(values) is not None, "it belongs to --predict and --rl"
)
WITH_PREDICTED_TREES = Condition(_predicts, "it belongs to --predict")
WITH_SAMPLED_TREES = Condition(_samples, "it belongs to --rl")

TREES_GROUP = Group("trees", TreeOptions, WITH_SPINN)
