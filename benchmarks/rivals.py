"""What SPINN is compared with: the same algorithm over Python lists, and a padded LSTM.

The list-based algorithm is that of the article "Recursive Neural Networks with PyTorch" (NVIDIA
Technical Blog, 2017): each sentence has a list for its buffer and one for its stack, with a tensor
for each item; all sentences that reduce at a step are bundled into one call of the composition, and
its result is split into items again. It uses this project's cells, so that it takes the weights of
:class:`spinn.model.spinn.SPINN` and gives the same result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from spinn.model.cells import CompositionCell
from spinn.model.machine import running
from spinn.model.policy import TransitionPolicy
from spinn.model.trace import Trace
from spinn.model.tracker import Blind, Tracker
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.ops.nodes import Composition
from spinn.transitions import Transition

Items = list[Tensor]
"""A buffer or a stack; an item is a row ``[1, S]``."""

State = tuple[Tensor, Tensor]


class ListSPINN(Encoder):
    """SPINN over Python lists of tensors; sentences are the roots of their trees.

    Unlike in the article, sentences that are over cost nothing, so that it draws the same
    transitions as :class:`SPINN` from the same random state.

    Parameters
    ----------
    composition, tracker
        Those of the encoder it is compared with.

    """

    def __init__(self, composition: CompositionCell, tracker: Tracker | Blind) -> None:
        super().__init__()
        self.composition, self.tracker = composition, tracker
        self.leaf_size, self.output_size = composition.state_size, composition.hidden_size

    @property
    def policy(self) -> nn.Module:
        """The tracker."""
        return self.tracker

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode B sentences as :meth:`SPINN.encode` does."""
        buffers = fill_buffers(leaves)
        # Two items of zeros lie under each stack, so that looking two deep needs no special case.
        nothing = leaves.states.new_zeros(1, leaves.states.shape[1])
        stacks = [[nothing, nothing] for _ in buffers]
        compose = self.composition.draw()
        zero = nothing.new_zeros(len(buffers), self.tracker.size)
        state, trace = (zero, zero), Trace(len(buffers))
        for time, active in enumerate(running(leaves.lengths)):
            state = self._watch(buffers[:active], stacks[:active], state)
            policy = self._score(buffers[:active], stacks[:active], state[0])
            taken = plan.choose(time, active, policy)
            _move(taken.tolist(), buffers, stacks, state[0], compose)
            trace.add(taken, taken, policy, state[0])
        return trace.encoding(torch.cat([stack[-1] for stack in stacks])[:, : self.output_size])

    def _watch(self, buffers: list[Items], stacks: list[Items], state: State) -> State:
        """Take the tracker's step: bundle the tops of buffers and stacks."""
        before = (state[0][: len(buffers)], state[1][: len(buffers)])
        if not isinstance(self.tracker, Tracker):
            return before
        tops = [
            torch.cat([items[-1] for items in buffers]),
            torch.cat([items[-1] for items in stacks]),
            torch.cat([items[-2] for items in stacks]),
        ]
        view = torch.cat([top[:, : self.output_size] for top in tops], dim=1)
        after: State = self.tracker.cell(view, before)
        return after

    def _score(
        self, buffers: list[Items], stacks: list[Items], seen: Tensor
    ) -> TransitionPolicy | None:
        """Score the next transitions, if the tracker predicts."""
        if not isinstance(self.tracker, Tracker) or self.tracker.score is None:
            return None
        pairs = zip(stacks, buffers, strict=True)
        # Two items of a stack and one of a buffer are zeros.
        legal = [[len(stack) >= 4, len(buffer) >= 2] for stack, buffer in pairs]
        return TransitionPolicy(self.tracker.score(seen), torch.tensor(legal, device=seen.device))


def _move(
    taken: list[int],
    buffers: list[Items],
    stacks: list[Items],
    seen: Tensor,
    compose: Composition,
) -> None:
    """Take one transition of each sentence; compose all that reduce together."""
    watched = seen.split(1)
    lefts, rights, trackings = Items(), Items(), Items()
    reducing: list[Items] = []
    shift = int(Transition.SHIFT)  # comparing with the enumeration is many times slower
    for sentence, transition in enumerate(taken):
        stack = stacks[sentence]
        if transition == shift:
            stack.append(buffers[sentence].pop())
            continue
        rights.append(stack.pop())
        lefts.append(stack.pop())
        reducing.append(stack)
        trackings.append(watched[sentence])
    if reducing:
        tracking = torch.cat(trackings) if seen.shape[1] else None
        parents = compose(torch.cat(lefts), torch.cat(rights), tracking)
        for stack, parent in zip(reducing, parents.split(1), strict=True):
            stack.append(parent)


def fill_buffers(leaves: Leaves) -> list[Items]:
    """Return a list of each sentence's words, the first word last, above an item of zeros."""
    words = leaves.states.split(1)
    nothing = leaves.states.new_zeros(1, leaves.states.shape[1])
    return [
        [nothing, *(words[row] for row in reversed(rows[:length]))]
        for rows, length in zip(leaves.rows.T.tolist(), leaves.lengths.tolist(), strict=True)
    ]


class PaddedLSTM(Encoder):
    """The last state of ``torch.nn.LSTM`` over padded sentences, with the weights of another LSTM.

    Padding is computed and thrown away; in return every step is a product of one size, at which
    libraries for LSTMs are fastest.

    Parameters
    ----------
    lstm
        In one direction: over padding, a sentence would be read backwards from its padding.

    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.bidirectional:
            raise ValueError("a padded LSTM reads in one direction")
        self.lstm = lstm
        self.leaf_size = self.output_size = lstm.hidden_size

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode S sentences; the plan is ignored."""
        padded, _ = pad_packed_sequence(leaves.packed)
        return Encoding(self.encode_padded(padded, leaves.lengths))

    def encode_padded(self, padded: Tensor, lengths: Tensor) -> Tensor:
        """Encode words ``[L, S, H]`` of sentences with ``lengths`` ``[S]`` as ``[S, H]``."""
        states, _ = self.lstm(padded)
        sentences = torch.arange(padded.shape[1], device=padded.device)
        return states[lengths.to(padded.device) - 1, sentences]
