"""SPINN for one sentence, with Python lists: the clearest text of the algorithm.

A buffer of words, a stack, and 2N - 1 transitions: SHIFT moves the next word to the stack, REDUCE
replaces the two topmost items by their composition. The tracker looks at the top of the buffer and
the two topmost items before each transition. :class:`spinn.model.spinn.SPINN` computes the same for
a batch; the tests hold the two equal, outputs and gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spinn.model.cells import CompositionCell
from spinn.model.tracker import Tracker
from spinn.transitions import Transition


@dataclass
class SentenceEncoding:
    """The encoding of one sentence of N words.

    Attributes
    ----------
    sentence
        ``[H]``.
    phrases
        ``[H]`` of each composed node.
    transitions
        The 2N - 1 transitions taken.
    log_probs
        The log-probability of each transition; empty where no tracker predicts.
    states
        The tracker's state ``[K]`` before each transition; empty without a tracker.

    """

    sentence: Tensor
    phrases: list[Tensor] = field(default_factory=list)
    transitions: list[int] = field(default_factory=list)
    log_probs: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)


def encode(
    leaves: Sequence[Tensor],
    composition: CompositionCell,
    tracker: Tracker | None = None,
    transitions: Sequence[int] | None = None,
    *,
    pooling: str = "root",
) -> SentenceEncoding:
    """Encode one sentence.

    Parameters
    ----------
    leaves
        N words, each ``[S]``, a state of the composition.
    composition, tracker
        The cells; :class:`spinn.model.spinn.SPINN` has the same.
    transitions
        2N - 1 transitions to follow; by default the tracker's most probable ones.
    pooling
        ``"root"``, ``"max"`` or ``"max-all"``.

    """
    size = composition.hidden_size
    compose = composition.draw()
    empty = leaves[0].new_zeros(composition.state_size)
    buffer, stack = list(leaves), [empty, empty]
    result = SentenceEncoding(empty)
    state = None
    for time in range(2 * len(leaves) - 1):
        seen, scores = None, None
        can_reduce, can_shift = len(stack) >= 4, bool(buffer)
        if tracker is not None:
            view = [buffer[0] if buffer else empty, stack[-1], stack[-2]]
            state = tracker.cell(torch.cat([item[:size] for item in view])[None], state)
            seen = state[0]
            result.states.append(seen[0])
            if tracker.score is not None:
                scores = tracker.score(seen)[0]
        if transitions is not None:
            transition = transitions[time]
        else:
            assert scores is not None
            transition = best(scores, can_reduce, can_shift)
        if scores is not None:
            result.log_probs.append(log_prob(scores, transition, can_reduce and can_shift))
        result.transitions.append(transition)
        if transition == Transition.SHIFT:
            stack.append(buffer.pop(0))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(compose(left[None], right[None], seen)[0])
            result.phrases.append(stack[-1][:size])
    assert not buffer
    assert len(stack) == 3
    result.sentence = pool(pooling, stack[-1][:size], result.phrases, [w[:size] for w in leaves])
    return result


def best(scores: Tensor, can_reduce: bool, can_shift: bool) -> int:
    """Return the legal transition with the higher of the scores ``[2]`` of REDUCE and SHIFT."""
    if can_reduce and (not can_shift or scores[0] >= scores[1]):
        return Transition.REDUCE
    return Transition.SHIFT


def log_prob(scores: Tensor, transition: int, free: bool) -> Tensor:
    """Return the log-probability of a transition; 0 where only one is legal."""
    if not free:
        return scores.new_zeros(())
    return scores.log_softmax(dim=0)[0 if transition == Transition.REDUCE else 1]


def pool(pooling: str, root: Tensor, phrases: list[Tensor], words: list[Tensor]) -> Tensor:
    """Return the root, or the maximum over all phrases, or over all phrases and words."""
    if pooling == "root" or not phrases:
        return root
    items = [*phrases, *words] if pooling == "max-all" else phrases
    return torch.stack(items).amax(dim=0)
