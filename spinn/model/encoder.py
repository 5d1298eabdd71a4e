"""The shift-reduce encoder: SPINN's stack machine over a batch of sentences.

All sentences move together, one transition a time step. Their nodes lie in one table; a buffer is
the number of the next word, a stack is a row of node numbers. SHIFT copies a number; the REDUCEs of
a step are composed in one call of the cell. The sentences come sorted, longest first, so those
still running at any step are the first ones, and nothing is computed for the others.

:class:`SPINN` is the whole algorithm; :class:`Machine` is its integer half. Where trees are given
and no tracker watches, the same result is had faster by :meth:`SPINN.compose`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from spinn.model.cells import COMPOSITIONS, Tracker, TreeLSTMGates
from spinn.model.policy import TransitionPolicy
from spinn.ops.lstm import LSTMSteps
from spinn.ops.nodes import AnyNodes, Nodes, PlainNodes
from spinn.ops.recorded import RecordedNodes
from spinn.schedule import Schedule
from spinn.transitions import Transition


class Choice(Enum):
    """Who chooses the transitions."""

    GIVEN = "given"  # they are handed to the encoder
    SAMPLED = "sampled"  # drawn from the tracker's policy
    GREEDY = "greedy"  # the most probable under the policy


@dataclass(frozen=True)
class Leaves:
    """The words of a batch of sentences, ready to be composed.

    Attributes
    ----------
    states
        ``[N, width]``, all words of the batch, without padding: the first words of all sentences,
        then the second words of those that have one, and so on (a packed sequence).
    lengths
        ``[B]`` on the CPU, in descending order.
    alike
        Whether equal words have equal states.

    """

    states: Tensor
    lengths: Tensor
    alike: bool = False

    @property
    def batch_sizes(self) -> Tensor:
        """``[max(lengths)]``, how many sentences have a first, second, … word."""
        positions = torch.arange(int(self.lengths[0]))
        return (self.lengths > positions[:, None]).sum(dim=1)

    @property
    def rows(self) -> Tensor:
        """``[max(lengths), B]``, the row of each word; behind the last one stand other numbers."""
        sizes = self.batch_sizes
        return (sizes.cumsum(0) - sizes)[:, None] + torch.arange(len(self.lengths))

    def largest(self, width: int) -> Tensor:
        """Take the largest of the first numbers of all words of each sentence, ``[B, width]``."""
        words = PackedSequence(self.states[:, :width], self.batch_sizes)
        return pad_packed_sequence(words, padding_value=-torch.inf)[0].max(dim=0).values


@dataclass(frozen=True)
class Encoding:
    """What an encoder made of B sentences.

    Attributes
    ----------
    sentences
        ``[B, H]``.
    transitions
        ``[T, B]``, those taken; ``None`` for encoders without trees.
    policy
        The distributions ``[T, B]`` they were chosen from, where a tracker predicts.
    tracker
        The tracker's hidden states ``[T, B, K]`` before each transition, where there is one.

    """

    sentences: Tensor
    transitions: Tensor | None = None
    policy: TransitionPolicy | None = None
    tracker: Tensor | None = None

    def reorder(self, order: Tensor) -> Encoding:
        """Take the sentences in another order ``[B]``."""
        policy = self.policy
        return Encoding(
            self.sentences[order],
            None if self.transitions is None else self.transitions[:, order],
            None
            if policy is None
            else TransitionPolicy(policy.scores[:, order], policy.legal[:, order]),
            None if self.tracker is None else self.tracker[:, order],
        )


class Machine:
    """Buffers and stacks of B sentences, as numbers of rows in the node table.

    Parameters
    ----------
    leaf_rows
        ``[L, B]``, the row of each word.
    lengths
        ``[B]``.
    empty_row
        The row that stands for whatever is looked at on an empty buffer or stack.

    """

    def __init__(self, leaf_rows: Tensor, lengths: Tensor, empty_row: int) -> None:
        longest, count = leaf_rows.shape
        device = leaf_rows.device
        ends = torch.full((1, count), empty_row, device=device)
        self._buffer = torch.cat([leaf_rows, ends])
        # Two empty rows lie under each stack, so that looking two deep needs no special case.
        self._stack = torch.full((count, longest + 2), empty_row, device=device)
        self._depth = torch.full((count,), 2, device=device)
        self._position = torch.zeros(count, dtype=torch.long, device=device)
        self._lengths = lengths.to(device)
        self._sentences = torch.arange(count, device=device)

    def view(self, active: int) -> Tensor:
        """Rows ``[active, 3]``: buffer top, stack top, stack second of the first sentences."""
        sentence, depth = self._sentences[:active], self._depth[:active]
        return torch.stack(
            [
                self._buffer[self._position[:active], sentence],
                self._stack[sentence, depth - 1],
                self._stack[sentence, depth - 2],
            ],
            dim=1,
        )

    def legal(self, active: int) -> Tensor:
        """``[active, 2]``, whether REDUCE and SHIFT may be taken."""
        reduce = self._depth[:active] >= 4
        shift = self._position[:active] < self._lengths[:active]
        return torch.stack([reduce, shift], dim=1)

    def shift(self, sentences: Tensor) -> None:
        """Move the next word of these sentences ``[n]`` from buffer to stack."""
        position = self._position[sentences]
        self._push(sentences, self._buffer[position, sentences])
        self._position[sentences] = position + 1

    def pop_children(self, sentences: Tensor) -> Tensor:
        """Take the two topmost items off the stacks of these sentences: left, right ``[n, 2]``."""
        depth = self._depth[sentences]
        self._depth[sentences] = depth - 2
        top = torch.stack([depth - 2, depth - 1], dim=1)
        return self._stack[sentences[:, None], top]

    def push_parent(self, sentences: Tensor, rows: Tensor) -> None:
        """Put composed nodes ``[n]`` on the stacks of these sentences."""
        self._push(sentences, rows)

    def words(self) -> Tensor:
        """Rows ``[L, B]`` of all words; the empty row behind the end of a sentence."""
        return self._buffer[:-1]

    def tops(self, active: int) -> Tensor:
        """Rows ``[active]`` of the items on top of the first sentences' stacks."""
        return self._stack[self._sentences[:active], self._depth[:active] - 1]

    def _push(self, sentences: Tensor, rows: Tensor) -> None:
        depth = self._depth[sentences]
        self._stack[sentences, depth] = rows
        self._depth[sentences] = depth + 1


class SPINN(nn.Module):
    """The shift-reduce encoder (Bowman et al. 2016).

    Parameters
    ----------
    hidden_size
        H, the width of a sentence vector.
    tracker_size
        K, the width of the tracker; 0 for none.
    predicts
        Whether the tracker scores transitions, so that they can be predicted or sampled.
    pooling
        What a sentence vector is: the state of the ``"root"``, or in each dimension the ``"max"``
        over all phrases, that is, composed nodes (Shi et al. 2018; a sentence of one word is that
        word), or ``"max-all"``, over all words and phrases.
    composition
        What composes two nodes, by its name in :data:`spinn.model.cells.COMPOSITIONS`.
    dropout
        Of the weights of the composition; see :class:`spinn.model.cells.TreeLSTM`.
    engine
        ``"auto"``, or ``"reference"`` to leave all gradients to autograd.

    """

    def __init__(
        self,
        hidden_size: int,
        tracker_size: int = 0,
        *,
        predicts: bool = False,
        pooling: str = "root",
        composition: str = "tree-lstm",
        dropout: float = 0.0,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.engine = engine
        self.output_size = hidden_size
        self.composition = COMPOSITIONS[composition](hidden_size, tracker_size, dropout=dropout)
        self.leaf_size = self.composition.state_size
        self.tracker = (
            Tracker(hidden_size, tracker_size, predicts=predicts) if tracker_size else None
        )

    def forward(
        self,
        leaves: Leaves,
        transitions: Tensor | None = None,
        choice: Choice = Choice.GIVEN,
        *,
        copies: int = 1,
        own_share: float = 0.0,
    ) -> Encoding:
        """Encode B sentences.

        Parameters
        ----------
        leaves
            The words, as rows of the composition's states.
        transitions
            ``[T, B]``, or ``[T, B * copies]`` where each copy has its own, padded; wanted where
            ``choice`` is GIVEN, left alone otherwise.
        choice
            Who chooses the transitions.
        copies
            Encode each sentence so many times, the copies side by side (B becomes B * copies);
            they share the leaves.
        own_share
            With GIVEN transitions and a tracker that predicts: the probability that a step follows
            the tracker's own best transition instead (scheduled sampling).

        """
        lengths = leaves.lengths.repeat_interleave(copies)
        nodes = self._hold(leaves.states, int((lengths - 1).sum()))
        machine = self._load(leaves, lengths, copies, nodes.empty)
        given = transitions
        if given is not None and given.shape[1] < len(lengths):
            given = given.repeat_interleave(copies, dim=1)
        # How many sentences are not over yet, at each step.
        steps = torch.arange(2 * int(lengths[0]) - 1)
        running = ((2 * lengths - 1) > steps[:, None]).sum(dim=1).tolist()
        state = self.tracker.initial_state(leaves.states, len(lengths)) if self.tracker else None
        watch = self._watch(leaves.states, sum(running))
        trace = _Trace(len(lengths))
        for time, active in enumerate(running):
            policy = None
            if self.tracker is not None and watch is not None and state is not None:
                view = nodes.read(machine.view(active).flatten())
                state = watch(view.reshape(active, -1), (state[0][:active], state[1][:active]))
                if self.tracker.score is not None:
                    policy = TransitionPolicy(self.tracker.score(state[0]), machine.legal(active))
            step = None if given is None else given[time, :active].long()
            taken = self._choose(choice, step, policy, own_share)
            self._move(taken, machine, nodes, None if state is None else state[0])
            made = machine.tops(active).where(taken == Transition.REDUCE, nodes.empty)
            trace.add(taken, made, policy, None if state is None else state[0])
        roots = machine.tops(len(lengths))
        vectors = self._pool(nodes, roots, trace.phrases(nodes.empty), machine.words())
        return trace.encoding(vectors)

    def compose(self, leaves: Tensor, schedule: Schedule) -> Tensor:
        """Encode sentences whose trees are given, by height; for encoders without a tracker.

        Parameters
        ----------
        leaves
            ``[N, S]``, rows of the composition's states, as the schedule numbers them.
        schedule
            Made from the transitions of the batch.

        Returns
        -------
        ``[B, H]``.

        """
        if self.tracker is not None:
            raise ValueError("an encoder with a tracker goes step by step")
        nodes = self._hold(leaves, len(schedule.children))
        for children in schedule.children.split(schedule.levels):
            nodes.compose(children)
        return self._pool(nodes, schedule.roots, schedule.phrases, schedule.leaves)

    def _pool(self, nodes: AnyNodes, roots: Tensor, phrases: Tensor, words: Tensor) -> Tensor:
        """Make sentence vectors ``[B, H]`` of roots ``[B]``, phrases ``[*, B]``, words ``[*, B]``.

        Where a sentence has no more of them stands its root, or the empty row.
        """
        if self.pooling == "root" or len(phrases) == 0:
            return nodes.read(roots)
        pooled = torch.cat([phrases, words]) if self.pooling == "max-all" else phrases
        pooled = roots.where(pooled == nodes.empty, pooled)
        states = nodes.read(pooled.flatten()).unflatten(0, pooled.shape)
        return states.max(dim=0).values

    def _hold(self, leaves: Tensor, compositions: int) -> AnyNodes:
        """Set up the nodes of a batch, of which so many are yet to be composed."""
        cell = self.composition.draw()
        if self.engine == "reference":
            return PlainNodes(leaves, cell, compositions)
        if isinstance(cell, TreeLSTMGates):
            return Nodes(leaves, cell, compositions)
        return RecordedNodes(leaves, cell, compositions)

    def _watch(self, like: Tensor, rows: int) -> Tracker | LSTMSteps | None:
        """Set up the steps of the tracker, of so many rows in all."""
        if self.tracker is None or self.engine == "reference":
            return self.tracker
        return LSTMSteps(self.tracker.cell, like, rows)

    def _choose(
        self, choice: Choice, given: Tensor | None, policy: TransitionPolicy | None, share: float
    ) -> Tensor:
        """Choose the next transition ``[active]`` of each sentence."""
        if choice is Choice.GIVEN:
            if given is None:
                raise ValueError("given transitions are wanted, and none were handed over")
            if share == 0.0 or policy is None:
                return given
            own = torch.rand(len(given), device=given.device) < share
            # What was given may be illegal once an earlier step went another way.
            return torch.where(own | ~policy.allows(given), policy.argmax(), given)
        if policy is None:
            raise ValueError("this encoder has no tracker that predicts transitions")
        return policy.sample() if choice is Choice.SAMPLED else policy.argmax()

    def _move(
        self, taken: Tensor, machine: Machine, nodes: AnyNodes, tracker: Tensor | None
    ) -> None:
        """Take one transition ``[active]`` in each sentence; compose all that reduce together."""
        machine.shift((taken == Transition.SHIFT).nonzero().squeeze(1))
        reducing = (taken == Transition.REDUCE).nonzero().squeeze(1)
        if len(reducing) == 0:
            return
        children = machine.pop_children(reducing)
        watched = None if tracker is None else tracker[reducing]
        machine.push_parent(reducing, nodes.compose(children, watched))

    @staticmethod
    def _load(leaves: Leaves, lengths: Tensor, copies: int, empty: int) -> Machine:
        """Set up all buffers and stacks."""
        rows = leaves.rows
        # Behind the last word of a sentence stands the empty row, not the word of another one.
        rows = rows.masked_fill(torch.arange(len(rows))[:, None] >= leaves.lengths, empty)
        rows = rows.repeat_interleave(copies, dim=1).to(leaves.states.device)
        return Machine(rows, lengths, empty)


class _Trace:
    """What was chosen at each step, and from what, gathered for the whole batch."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: list[Tensor] = []
        self._made: list[Tensor] = []
        self._policies: list[TransitionPolicy] = []
        self._states: list[Tensor] = []

    def add(
        self, taken: Tensor, made: Tensor, policy: TransitionPolicy | None, state: Tensor | None
    ) -> None:
        self._taken.append(taken)
        self._made.append(made)
        if policy is not None:
            self._policies.append(policy)
        if state is not None:
            self._states.append(state)

    def phrases(self, empty: int) -> Tensor:
        """Rows ``[T, B]`` of the nodes composed at each step; the empty row where none was."""
        return self._stack(self._made, empty)

    def encoding(self, sentences: Tensor) -> Encoding:
        policy = None
        if self._policies:
            policy = TransitionPolicy(
                self._stack([policy.scores for policy in self._policies], 0),
                self._stack([policy.legal for policy in self._policies], 0),
            )
        tracker = self._stack(self._states, 0) if self._states else None
        taken = self._stack(self._taken, int(Transition.PAD))
        return Encoding(sentences, taken, policy, tracker)

    def _stack(self, steps: list[Tensor], padding: int) -> Tensor:
        """Stack ``[active, ...]`` of every step to ``[T, B, ...]``."""
        whole = steps[0].new_full((len(steps), self._count, *steps[0].shape[1:]), padding)
        padded = [
            torch.cat([step, whole[time, len(step) :]]) if len(step) < self._count else step
            for time, step in enumerate(steps)
        ]
        return torch.stack(padded)
