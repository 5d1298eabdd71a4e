"""The Gumbel Tree-LSTM: an encoder that builds its own trees, bottom-up (Choi et al. 2018).

SPINN's tracker goes from left to right and chooses transitions. This encoder looks at a whole
sentence and merges two neighbours, until one node is left. The choice is learned from the label
alone, by straight-through Gumbel-softmax. Trees are returned as transitions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.model.cells import TreeLSTM
from spinn.model.types import Encoder, Encoding, Leaves, Plan
from spinn.ops.merges import merge
from spinn.transitions import Transition


class GumbelTreeLSTM(Encoder):
    """The encoder of Choi, Yoo and Lee (2018).

    Parameters
    ----------
    hidden_size
        H, the width of a sentence vector.
    pooling
        As :class:`spinn.model.spinn.SPINN` has it.
    dropout
        Of the weights of the composition; see :class:`spinn.model.cells.TreeLSTM`.

    """

    def __init__(self, hidden_size: int, *, pooling: str = "root", dropout: float = 0.0) -> None:
        super().__init__()
        self.pooling = pooling
        self.output_size = hidden_size
        self.leaf_size = 2 * hidden_size
        self.composition = TreeLSTM(hidden_size, dropout=dropout)
        # Close to zero, so that at first the noise chooses.
        self.query = nn.Parameter(nn.init.normal_(torch.empty(hidden_size), std=0.01))

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode S sentences.

        With a temperature in the plan, merges are drawn with Gumbel noise, and gradients pass
        through a softmax of that temperature. Without one, the best merges are taken and nothing
        is drawn.
        """
        lengths, states = leaves.lengths, leaves.states
        rows = leaves.rows.to(states.device)
        first_words = states[: len(lengths), : self.output_size]
        if len(rows) == 1:
            return Encoding(first_words, torch.full_like(rows, int(Transition.SHIFT)))
        trees = states, rows, lengths, self.composition.draw(), self.query
        if plan.temperature is None:
            phrases, places = merge(*trees)
        else:
            noise = gumbel_noise(states, len(rows) - 1, len(lengths))
            phrases, places = merge(*trees, noise, plan.temperature)
        vectors = self._pool(first_words, phrases, places)
        if self.pooling == "max-all":
            vectors = vectors.maximum(leaves.maximum(self.output_size))
        return Encoding(vectors, transitions_of(places, lengths))

    def _pool(self, words: Tensor, phrases: Tensor, places: Tensor) -> Tensor:
        """Return vectors ``[B, H]`` of first words ``[B, H]`` and phrases ``[D, B, H]``."""
        count = (places >= 0).sum(dim=0)
        last = (count - 1).clamp(min=0)
        roots = phrases[last, torch.arange(len(last), device=last.device)]
        roots = torch.where(count[:, None] > 0, roots, words)
        if self.pooling == "root":
            return roots
        return torch.where((places >= 0)[:, :, None], phrases, roots).max(dim=0).values


def gumbel_noise(like: Tensor, depth: int, count: int) -> Tensor:
    """Draw standard Gumbel noise ``[depth, count, depth]`` from torch's global generator."""
    noise = like.new_empty(depth, count, depth).exponential_()
    return -noise.clamp(min=torch.finfo(noise.dtype).tiny).log()


def transitions_of(places: Tensor, lengths: Tensor) -> Tensor:
    """Convert trees that were built bottom-up to transitions.

    Parameters
    ----------
    places
        ``[D, B]``, which pair of neighbours was merged in each layer, counted from the left; -1
        where the tree is finished.
    lengths
        ``[B]``; the longest sentence has D + 1 words.

    Returns
    -------
    ``[2D + 1, B]``, padded.

    """
    words = torch.arange(len(places) + 1, device=places.device)
    # A node is composed as soon as its last word is shifted, so only ends of nodes matter.
    ends = words.repeat(places.shape[1], 1)
    reduces = torch.zeros_like(ends)
    for place in places[:, :, None]:
        end = ends.gather(1, place + 1)  # of the right child
        reduces.scatter_add_(1, end, (place >= 0).to(reduces.dtype))
        source = words[: ends.shape[1] - 1]
        ends = ends.gather(1, source + (source >= place))
    shifts = words + reduces.cumsum(dim=1) - reduces
    steps = torch.arange(2 * len(words) - 1, device=places.device)
    taken = torch.full((len(ends), len(steps)), int(Transition.REDUCE), device=places.device)
    taken.scatter_(1, shifts, int(Transition.SHIFT))
    over = steps >= 2 * lengths.to(places.device)[:, None] - 1
    return taken.masked_fill(over, int(Transition.PAD)).T
