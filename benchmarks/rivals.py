"""What SPINN is compared with: the same algorithm over Python lists, and LSTMs of the same width.

The list-based algorithm is that of the article "Recursive Neural Networks with PyTorch" (NVIDIA
Technical Blog, 2017): each sentence has a list of its own for its buffer and one for its stack,
with a tensor for each item; all sentences that reduce at a step are bundled into one call of the
composition, and its result is split into items again. It is written here on this project's cells,
so it takes the weights of :class:`spinn.model.encoder.SPINN` and gives the same result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence, pad_sequence

from spinn.model.baselines import SequenceLSTM
from spinn.model.encoder import SPINN, Choice, Encoding, Leaves
from spinn.model.policy import TransitionPolicy
from spinn.transitions import Transition

Items = list[Tensor]
"""A buffer or a stack; an item is a row ``[1, 2H]`` of hidden state and memory cell."""

State = tuple[Tensor, Tensor]


class ListSPINN(SPINN):
    """SPINN over Python lists of tensors.

    It is kinder to itself than the article in one thing: sentences that are over cost nothing. So
    it draws the same transitions as :class:`SPINN` from the same random state.
    """

    def __init__(self, hidden_size: int, tracker_size: int = 0, *, predicts: bool = False) -> None:
        super().__init__(hidden_size, tracker_size, predicts=predicts, engine="reference")

    @classmethod
    def like(cls, encoder: SPINN) -> ListSPINN:
        """Make one with the weights of ``encoder``.

        Raises
        ------
        ValueError
            If its sentences are not the roots of their trees.

        """
        if encoder.pooling != "root":
            raise ValueError("the list-based algorithm has the root for a sentence")
        tracker = encoder.tracker
        size = 0 if tracker is None else tracker.size
        predicts = tracker is not None and tracker.score is not None
        twin = cls(encoder.output_size, size, predicts=predicts)
        twin.load_state_dict(encoder.state_dict())
        return twin.to(next(encoder.parameters()))

    def forward(
        self,
        leaves: Leaves,
        transitions: Tensor | None = None,
        choice: Choice = Choice.GIVEN,
        *,
        copies: int = 1,
        own_share: float = 0.0,
    ) -> Encoding:
        """Encode B sentences, as :meth:`SPINN.forward` does, without copies and shares."""
        if copies != 1 or own_share != 0.0:
            raise ValueError("the list-based algorithm reads each sentence once, its own way")
        given = transitions.tolist() if choice is Choice.GIVEN and transitions is not None else None
        buffers = fill_buffers(leaves)
        # Two items of zeros lie under each stack, so that looking two deep needs no special case.
        nothing = leaves.states.new_zeros(1, leaves.states.shape[1])
        stacks = [[nothing, nothing] for _ in buffers]
        state = None
        trace = _Trace()
        # How many sentences are not over yet, at each step.
        steps = torch.arange(2 * len(leaves.batch_sizes) - 1)
        running = ((2 * leaves.lengths - 1) > steps[:, None]).sum(dim=1).tolist()
        for time, active in enumerate(running):
            policy = None
            if self.tracker is not None:
                state = self._look(buffers[:active], stacks[:active], state)
                policy = self._score(buffers[:active], stacks[:active], state[0])
                trace.add(state[0], policy)
            taken = given[time][:active] if given is not None else trace.choose(choice, policy)
            self._step(taken, buffers, stacks, None if state is None else state[0])
        sentences = torch.cat([stack[-1] for stack in stacks])[:, : self.output_size]
        return trace.encoding(sentences, transitions)

    def _look(self, buffers: list[Items], stacks: list[Items], state: State | None) -> State:
        """Take the tracker's step: bundle what is on top of buffers and stacks."""
        assert self.tracker is not None
        tops = [
            torch.cat([items[-1] for items in buffers]),
            torch.cat([items[-1] for items in stacks]),
            torch.cat([items[-2] for items in stacks]),
        ]
        view = torch.cat([top[:, : self.output_size] for top in tops], dim=1)
        if state is None:
            state = self.tracker.initial_state(view, len(view))
        hidden, memory = state
        return self.tracker(view, (hidden[: len(view)], memory[: len(view)]))

    def _score(
        self, buffers: list[Items], stacks: list[Items], hidden: Tensor
    ) -> TransitionPolicy | None:
        """Score the next transitions, if the tracker predicts; lists know what is legal."""
        assert self.tracker is not None
        if self.tracker.score is None:
            return None
        pairs = zip(stacks, buffers, strict=True)
        # Two items of a stack and one of a buffer are not the sentence's own.
        legal = [[len(stack) >= 4, len(buffer) >= 2] for stack, buffer in pairs]
        return TransitionPolicy(
            self.tracker.score(hidden), torch.tensor(legal, device=hidden.device)
        )

    def _step(
        self, taken: list[int], buffers: list[Items], stacks: list[Items], hidden: Tensor | None
    ) -> None:
        """Take one transition in each sentence; compose all that reduce together."""
        watched = None if hidden is None else hidden.split(1)
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
            if watched is not None:
                trackings.append(watched[sentence])
        if reducing:
            tracking = torch.cat(trackings) if trackings else None
            parents = self.composition(torch.cat(lefts), torch.cat(rights), tracking)
            for stack, parent in zip(reducing, parents.split(1), strict=True):
                stack.append(parent)


def fill_buffers(leaves: Leaves) -> list[Items]:
    """Make a list of each sentence's words, the first word last, above an item of zeros."""
    words = leaves.states.split(1)
    nothing = leaves.states.new_zeros(1, leaves.states.shape[1])
    starts = [0, *leaves.batch_sizes.cumsum(0).tolist()]
    return [
        [nothing, *(words[starts[place] + sentence] for place in reversed(range(length)))]
        for sentence, length in enumerate(leaves.lengths.tolist())
    ]


@dataclass
class _Trace:
    """What was chosen at each step, where the tracker chooses, and from what."""

    taken: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    policies: list[TransitionPolicy] = field(default_factory=list)

    def add(self, state: Tensor, policy: TransitionPolicy | None) -> None:
        self.states.append(state)
        if policy is not None:
            self.policies.append(policy)

    def choose(self, choice: Choice, policy: TransitionPolicy | None) -> list[int]:
        if policy is None or choice is Choice.GIVEN:
            raise ValueError("transitions are wanted, or a tracker that chooses them")
        taken = policy.sample() if choice is Choice.SAMPLED else policy.argmax()
        self.taken.append(taken)
        chosen: list[int] = taken.tolist()
        return chosen

    def encoding(self, sentences: Tensor, given: Tensor | None) -> Encoding:
        taken = _stack(self.taken, int(Transition.PAD)) if self.taken else given
        policy = None
        if self.policies:
            scores = _stack(policy.scores for policy in self.policies)
            policy = TransitionPolicy(scores, _stack(policy.legal for policy in self.policies))
        return Encoding(sentences, taken, policy, _stack(self.states) if self.states else None)


def _stack(steps: Iterable[Tensor], padding: int = 0) -> Tensor:
    """Stack ``[active, ...]`` of every step to ``[T, B, ...]``."""
    return pad_sequence(list(steps), batch_first=True, padding_value=padding)


class PaddedLSTM(nn.Module):
    """The last state of ``torch.nn.LSTM`` over padded sentences, the twin of ``SequenceLSTM``.

    Padding is computed and thrown away; in return every step is a product of one size, which
    libraries for LSTMs are fastest at.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.leaf_size = self.output_size = hidden_size
        self.lstm = nn.LSTM(hidden_size, hidden_size)

    @classmethod
    def like(cls, encoder: SequenceLSTM) -> PaddedLSTM:
        """Make one with the weights of ``encoder``, which reads in one direction.

        Raises
        ------
        ValueError
            If it reads in both.

        """
        if encoder.lstm.bidirectional:
            raise ValueError("over padding, a sentence would be read backwards from its padding")
        twin = cls(encoder.output_size)
        twin.load_state_dict(encoder.state_dict())
        return twin.to(next(encoder.parameters()))

    def forward(self, leaves: Leaves) -> Encoding:
        """Encode B sentences."""
        padded, _ = pad_packed_sequence(PackedSequence(leaves.states, leaves.batch_sizes))
        return Encoding(self.encode(padded, leaves.lengths))

    def encode(self, padded: Tensor, lengths: Tensor) -> Tensor:
        """Encode words ``[L, B, H]`` of sentences with ``lengths`` ``[B]`` as ``[B, H]``."""
        states, _ = self.lstm(padded)
        sentences = torch.arange(padded.shape[1], device=padded.device)
        return states[lengths.to(padded.device) - 1, sentences]
