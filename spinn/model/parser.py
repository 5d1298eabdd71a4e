"""A parser of its own: what chooses the trees, apart from what composes sentences along them.

It is a small SPINN with words of its own, of which only the transitions are of use. Since they are
whole numbers, no gradient of the label's loss finds its way into the parser, and none of the
transitions' loss leaves it: syntax and semantics are disjoint (Havrylov, Kruszewski and Joulin
2019).
"""

from __future__ import annotations

from torch import Tensor, nn

from spinn.model.encoder import SPINN, Choice, Encoding
from spinn.model.leaves import LeafLayer


class Parser(nn.Module):
    """Choose the transitions of sentences.

    Parameters
    ----------
    leaves
        Without dropout: the same weights are to give the same policy whenever it is asked.
    encoder
        With a tracker that predicts.

    """

    def __init__(self, leaves: LeafLayer, encoder: SPINN) -> None:
        super().__init__()
        self.leaves = leaves
        self.encoder = encoder

    def forward(
        self,
        words: Tensor,
        lengths: Tensor,
        transitions: Tensor | None,
        choice: Choice,
        *,
        copies: int = 1,
        own_share: float = 0.0,
    ) -> Encoding:
        """Parse B sentences, longest first: words ``[L, B]``, lengths ``[B]`` on the CPU.

        The other parameters are those of :meth:`SPINN.forward`. The vectors of the result are no
        sentence's meaning; its transitions, policy and tracker states are what is wanted.
        """
        leaves = self.leaves(words, lengths)
        encoding: Encoding = self.encoder(
            leaves, transitions, choice, copies=copies, own_share=own_share
        )
        return encoding
