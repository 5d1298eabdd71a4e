"""What passes between the parts of a model: sentences, leaves, a plan, and an encoding.

An encoder takes leaves and a plan and returns an encoding. Sentences are sorted by length, longest
first, before they reach it; :class:`spinn.model.pair.PairModel` sorts them and restores the order.
Everything is time first: ``[T, B]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from spinn.model.choosers import Chooser, Given, Greedy, Mixed, Sampled
from spinn.model.policy import TransitionPolicy
from spinn.ops.heights import Heights


@dataclass(frozen=True)
class Sentences:
    """S sentences, longest first.

    Attributes
    ----------
    lengths
        ``[S]``, in descending order, on the CPU.
    words
        ``[L, S]``, padded, or ``None`` where only leaves are known.
    back
        ``[S]``, the place of each sentence of the batch, so that ``sorted[back]`` is the batch.

    """

    lengths: Tensor
    words: Tensor | None = None
    back: Tensor | None = None

    @classmethod
    def sort(cls, words: Tensor, lengths: Tensor) -> tuple[Sentences, Tensor]:
        """Sort words ``[L, S]`` (on any device) by lengths ``[S]`` (on the CPU).

        Returns
        -------
        The sentences, and the order ``[S]``: ``batch[order]`` is sorted.

        """
        lengths, order = lengths.sort(descending=True, stable=True)
        to = order.to(words.device)
        return cls(lengths, words[:, to], order.argsort().to(words.device)), to

    @property
    def partners(self) -> Tensor:
        """``[S]``, the place of the other sentence of each pair; premises come first in a batch."""
        assert self.back is not None
        partners = self.back.roll(len(self.back) // 2)
        return torch.empty_like(self.back).scatter(0, self.back, partners)

    @property
    def batch_sizes(self) -> Tensor:
        """``[L]``, the number of sentences that have a first, second, … word."""
        positions = torch.arange(int(self.lengths[0]))
        return (self.lengths > positions[:, None]).sum(dim=1)


@dataclass(frozen=True)
class WordStates:
    """States of an LSTM that has read sentences word by word, in order.

    Attributes
    ----------
    states
        ``[N, D]``, the state after each word, as a packed sequence.
    sentences
        The S sentences, with their words.

    """

    states: Tensor
    sentences: Sentences

    def nothing(self) -> WordStates:
        """Return the states of no sentence, through which gradients still reach the LSTM."""
        words = self.sentences.words
        assert words is not None
        return WordStates(self.states[:0], Sentences(self.sentences.lengths[:0], words[:, :0]))

    def followed(self) -> tuple[Tensor, Tensor]:
        """Return the states ``[M, D]`` after the words that have a successor, and these ``[M]``."""
        words = self.sentences.words
        assert words is not None
        present = self.sentences.lengths > torch.arange(len(words))[:, None]
        # In packed order; rows are found on the CPU, so that a GPU is not waited for.
        rows = present[1:][present[:-1]].nonzero().squeeze(1).to(words.device)
        places = present[1:].flatten().nonzero().squeeze(1).to(words.device)
        return self.states[rows], words[1:].flatten()[places]


@dataclass(frozen=True)
class Leaves:
    """The words of sentences as rows that an encoder reads.

    Each sentence may be read several times, as copies side by side that share their leaves: B is
    the number of sentences times ``copies``.

    Attributes
    ----------
    states
        ``[N, W]``, all words without padding, as a packed sequence: the first words of all
        sentences, then the second words, and so on. Where equal subtrees are shared, one row for
        each distinct word instead.
    sentences
        The sentences.
    copies
        Copies of each sentence.
    alike
        Whether equal words have equal rows.
    word_states
        States of the LSTM below the leaves, if it reads forwards only.

    """

    states: Tensor
    sentences: Sentences
    copies: int = 1
    alike: bool = False
    word_states: WordStates | None = None

    @classmethod
    def of_lengths(cls, states: Tensor, lengths: Tensor) -> Leaves:
        """Take packed rows ``[N, W]`` of sentences with lengths ``[S]``, longest first."""
        return cls(states, Sentences(lengths))

    def repeat(self, copies: int) -> Leaves:
        """Return the leaves of this many copies of each sentence."""
        return replace(self, copies=copies)

    @property
    def lengths(self) -> Tensor:
        """``[B]``, on the CPU."""
        return self.sentences.lengths.repeat_interleave(self.copies)

    @property
    def rows(self) -> Tensor:
        """``[L, B]``, the row of each word, on the CPU; undefined past the end of a sentence."""
        sizes = self.sentences.batch_sizes
        rows = (sizes.cumsum(0) - sizes)[:, None] + torch.arange(len(self.sentences.lengths))
        return rows.repeat_interleave(self.copies, dim=1)

    @property
    def packed(self) -> PackedSequence:
        """The words as torch's recurrent networks read them."""
        return PackedSequence(self.states, self.sentences.batch_sizes)

    def maximum(self, width: int) -> Tensor:
        """Return the maximum of the first numbers of all words, by sentence: ``[S, width]``."""
        words = PackedSequence(self.states[:, :width], self.sentences.batch_sizes)
        return pad_packed_sequence(words, padding_value=-torch.inf)[0].max(dim=0).values

    def restore(self, encoding: Encoding) -> Encoding:
        """Return an encoding in the order of the batch."""
        return encoding.reorder(self.places)

    @property
    def places(self) -> Tensor:
        """``[B]``, the place of each copy of each sentence of the batch."""
        back = self.sentences.back
        assert back is not None
        offsets = torch.arange(self.copies, device=back.device)
        return (back[:, None] * self.copies + offsets).flatten()


@dataclass(frozen=True)
class Plan:
    """How sentences are to be encoded; encoders ignore what they have no use for.

    Attributes
    ----------
    choose
        What chooses the transitions.
    heights
        The given trees by height, for encoders that compose by height.
    temperature
        Of the Gumbel-softmax; ``None`` takes the merges that score best.

    """

    choose: Chooser = field(default_factory=Greedy)
    heights: Heights | None = None
    temperature: float | None = None

    @classmethod
    def given(cls, transitions: Tensor, heights: Heights | None = None) -> Plan:
        """Follow transitions ``[T, B]``."""
        return cls(Given(transitions), heights)

    @classmethod
    def mixed(cls, transitions: Tensor, own_share: float) -> Plan:
        """Follow transitions ``[T, B]``, but the policy's own choice in a share of the steps."""
        return cls(Mixed(transitions, own_share)) if own_share else cls.given(transitions)

    @classmethod
    def sampled(cls) -> Plan:
        """Draw transitions from the policy."""
        return cls(Sampled())

    def reorder(self, order: Tensor) -> Plan:
        """Return the plan for the sentences in another order ``[B]``."""
        heights = None if self.heights is None else self.heights.reorder(order)
        return replace(self, choose=self.choose.reorder(order), heights=heights)


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
    word_states
        States of an LSTM encoder that reads forwards only; they have an order of their own.

    """

    sentences: Tensor
    transitions: Tensor | None = None
    policy: TransitionPolicy | None = None
    tracker: Tensor | None = None
    word_states: WordStates | None = None

    def reorder(self, order: Tensor) -> Encoding:
        """Return the sentences in another order ``[B]``."""
        policy = self.policy
        if policy is not None:
            policy = TransitionPolicy(policy.logits[:, order], policy.legal[:, order])
        return Encoding(
            self.sentences[order],
            None if self.transitions is None else self.transitions[:, order],
            policy,
            None if self.tracker is None else self.tracker[:, order],
            self.word_states,
        )


class Encoder(nn.Module):
    """The contract of all encoders.

    Attributes
    ----------
    leaf_size, output_size
        W and H, the widths of a leaf and of a sentence vector.
    by_height
        Whether given trees are composed by height, so that batches should come with heights.
    parser
        The part that learns from the transitions' loss alone; ``None`` where all is shared.

    """

    leaf_size: int
    output_size: int
    by_height: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.parser: nn.Module | None = None

    @property
    def policy(self) -> nn.Module | None:
        """The part whose weights choose transitions; ``None`` where nothing does."""
        return None

    def encode(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Encode B sentences."""
        raise NotImplementedError

    def parse(self, leaves: Leaves, plan: Plan) -> Encoding:
        """Choose transitions for B sentences, if need be without encoding them."""
        return self.encode(leaves, plan)

    def forward(self, leaves: Leaves, plan: Plan | None = None) -> Encoding:
        """Encode B sentences; without a plan, by the most probable transitions."""
        return self.encode(leaves, Plan() if plan is None else plan)
