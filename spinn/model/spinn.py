"""SPINN: the shift-reduce algorithm over a batch of sentences (Bowman et al. 2016).

:class:`SPINN` is the algorithm, one transition of every sentence a time step. What it calls is
small: a chooser (:mod:`spinn.model.choosers`), the tracker's watch (:mod:`spinn.model.tracker`),
buffers and stacks of row numbers (:mod:`spinn.model.machine`), and the table of nodes
(:mod:`spinn.ops.nodes`). :class:`SPINNByHeight` gives the same result faster where all trees are
given and no tracker watches. :mod:`spinn.model.reference` is the same algorithm for one sentence,
with Python lists.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.model.cells import CompositionCell
from spinn.model.heights import heights_of_leaves
from spinn.model.machine import Machine, running
from spinn.model.trace import Trace
from spinn.model.tracker import Blind, Tracker
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.ops.heights import Heights
from spinn.ops.nodes import NodeTable, node_table
from spinn.transitions import Transition


class SPINN(Encoder):
    """Encode sentences step by step.

    Sentences are sorted, longest first, so that the active ones are a prefix of the batch at every
    step, and nothing is computed for the others.

    Parameters
    ----------
    composition
        The cell that composes two nodes.
    tracker
        What watches buffer and stack; ``None`` for nothing.
    pooling
        What a sentence vector is: the ``"root"``, or the maximum over all phrases (``"max"``), or
        over all phrases and words (``"max-all"``).
    plain
        Whether to leave all gradients to autograd.

    """

    def __init__(
        self,
        composition: CompositionCell,
        tracker: Tracker | None = None,
        *,
        pooling: str = "root",
        plain: bool = False,
    ) -> None:
        super().__init__()
        self.composition = composition
        self.tracker: Tracker | Blind = Blind() if tracker is None else tracker
        self.pooling, self.plain = pooling, plain
        self.leaf_size, self.output_size = composition.state_size, composition.hidden_size

    @property
    def policy(self) -> nn.Module:
        """The tracker."""
        return self.tracker

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode B sentences by the transitions that the plan's chooser takes."""
        lengths = leaves.lengths
        active_at, compositions = running(lengths), int((lengths - 1).sum())
        nodes = node_table(leaves.states, self.composition.draw(), compositions, plain=self.plain)
        machine = Machine.load(leaves, nodes.empty)
        watch = self.tracker.watch(leaves, sum(active_at), plain=self.plain)
        trace = Trace(len(lengths))
        for time, active in enumerate(active_at):
            seen, policy = watch(nodes, machine, active)
            taken = plan.choose(time, active, policy)
            machine.shift(taken == Transition.SHIFT)
            machine.reduce(taken == Transition.REDUCE, nodes, seen)
            trace.add(taken, machine.tops(active), policy, seen)
        roots = machine.tops(len(lengths))
        if self.pooling == "root":
            return trace.encoding(nodes.read(roots))
        phrases, words = trace.phrases(nodes.empty), machine.words()
        return trace.encoding(pool(self.pooling, nodes, roots, phrases, words))


class SPINNByHeight(Encoder):
    """Encode sentences whose trees are given, all nodes of one height in one call.

    Parameters
    ----------
    composition, pooling
        As :class:`SPINN` has them.

    """

    by_height = True

    def __init__(self, composition: CompositionCell, *, pooling: str = "root") -> None:
        super().__init__()
        self.composition, self.pooling = composition, pooling
        self.leaf_size, self.output_size = composition.state_size, composition.hidden_size

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode B sentences along the plan's given transitions."""
        transitions, heights = plan.choose.transitions, plan.heights
        if transitions is None:
            raise ValueError("this encoder has no tracker that predicts transitions; give them")
        states = leaves.states
        if heights is None:
            heights, states = heights_of_leaves(leaves, transitions)
        return Encoding(self.compose(states, heights), transitions)

    def compose(self, leaves: Tensor, heights: Heights) -> Tensor:
        """Compose leaves ``[N, W]``, numbered as in ``heights``, to sentences ``[B, H]``."""
        nodes = node_table(leaves, self.composition.draw(), len(heights.children))
        for children in heights.children.split(heights.sizes):
            nodes.compose(children)
        return pool(self.pooling, nodes, heights.roots, heights.phrases, heights.leaves)


def pool(pooling: str, nodes: NodeTable, roots: Tensor, phrases: Tensor, words: Tensor) -> Tensor:
    """Return sentence vectors ``[B, H]`` of roots ``[B]``, phrases ``[*, B]``, words ``[*, B]``.

    Phrases and words are padded with the root or the empty row. The vector of a sentence of one
    word is that word (Shi et al. 2018 for the maximum over phrases).
    """
    if pooling == "root" or len(phrases) == 0:
        return nodes.read(roots)
    items = torch.cat([phrases, words]) if pooling == "max-all" else phrases
    items = roots.where(items == nodes.empty, items)
    return nodes.read(items.flatten()).unflatten(0, items.shape).max(dim=0).values
