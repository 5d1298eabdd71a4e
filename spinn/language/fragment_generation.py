"""Generation of labelled trees and Python programs by a language model over fragments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinn.data.fragments.python import ROOT, compiles, python_source
from spinn.data.fragments.tree import Fragment, OpenSlots, tree_of
from spinn.data.fragments.vocabulary import FragmentVocabulary
from spinn.language.generation import draw
from spinn.model.fragment_language import FragmentLanguageModel, State
from spinn.support.errors import SpinnError
from spinn.transitions import TreeError


@dataclass(frozen=True)
class Sampling:
    """How fragments are chosen.

    Attributes
    ----------
    temperature
        The logits are divided by it; at 0, the most probable fragment is chosen.
    top_k
        Number of the most probable fragments, of those that fit, that are drawn from; 0 for all.
    limit
        Largest number of fragments of a tree. Fragments that could not be completed within it do
        not fit. If even the smallest tree is larger, it is the result.

    """

    temperature: float = 1.0
    top_k: int = 0
    limit: int = 200


class FragmentGenerator:
    """Generate trees with a trained model.

    Parameters
    ----------
    model, vocabulary
        The model and the vocabulary of its numbers. The model is put in evaluation mode.
    sampling
        How fragments are chosen.
    random
        Of the draws, on the CPU.

    """

    def __init__(
        self,
        model: FragmentLanguageModel,
        vocabulary: FragmentVocabulary,
        sampling: Sampling,
        random: torch.Generator,
    ) -> None:
        self.model, self.vocabulary = model.eval(), vocabulary
        self.sampling, self.random = sampling, random
        self._device = model.decoder.weight.device
        self._sizes = [self._sizes_of(type) for type in range(len(vocabulary.types))]

    def _sizes_of(self, type: int) -> Tensor:
        """Return the sizes of the smallest trees with each fragment of a type at the root."""
        vocabulary = self.vocabulary
        start, size = vocabulary.starts[type], vocabulary.sizes[type]
        never = 2**62
        sizes = [
            vocabulary.size_with(fragment)
            for fragment in vocabulary.fragments[start : start + size]
            if fragment is not None
        ]
        pool = [vocabulary.size_with(fragment) for fragment, _ in vocabulary.pools[type]]
        return torch.tensor([min(pool, default=never), *sizes])

    @torch.no_grad()
    def fragments(self) -> list[Fragment]:
        """Generate a tree; return its fragments in pre-order."""
        vocabulary = self.vocabulary
        roots = list(vocabulary.roots)
        slots = OpenSlots(roots[self._draw(list(vocabulary.roots.values()))])
        result: list[Fragment] = []
        numbers: list[int] = []
        reserved = vocabulary.smallest[slots.next.type]  # smallest size of all open slots
        before, state = self.model.start, None
        while slots:
            parent, type = slots.next
            above = self.model.start if parent < 0 else numbers[parent]
            reserved -= vocabulary.smallest[type]
            room = self.sampling.limit - len(result) - reserved
            number, fragment, state = self._next(before, above, type, room, state)
            slots.fill(fragment)
            reserved += vocabulary.size_with(fragment) - 1
            result.append(fragment)
            numbers.append(number)
            before = number
        return result

    def _next(
        self, before: int, parent: int, type: str, room: int, state: State | None
    ) -> tuple[int, Fragment, State]:
        """Choose the next fragment, whose smallest tree has at most ``room`` fragments."""
        vocabulary = self.vocabulary
        kind = vocabulary.type_number(type)
        room = max(room, vocabulary.smallest[type])
        hidden, state = self.model.step(torch.tensor([before], device=self._device), state)
        above = torch.tensor([parent], device=self._device)
        logits = self.model.logits(hidden, above, kind)[0].float().cpu()
        fitting = logits.masked_fill(self._sizes[kind] > room, -torch.inf)
        number = vocabulary.starts[kind] + draw(
            fitting, self.sampling.temperature, self.sampling.top_k, self.random
        )
        fragment = vocabulary.fragments[number] or self._rare(kind, room)
        return number, fragment, state

    def _rare(self, type: int, room: int) -> Fragment:
        """Draw a fragment from the pool of a type, in proportion to its count."""
        pool = [
            (fragment, count)
            for fragment, count in self.vocabulary.pools[type]
            if self.vocabulary.size_with(fragment) <= room
        ]
        return pool[self._draw([count for _, count in pool])][0]

    def _draw(self, counts: Sequence[int]) -> int:
        """Draw an index in proportion to its count."""
        weights = torch.tensor(counts, dtype=torch.float)
        return int(torch.multinomial(weights, 1, generator=self.random))

    def program(self, attempts: int = 100) -> str:
        """Generate a Python program that compiles.

        Few trees break a rule of Python, see :mod:`spinn.data.fragments.python`; they are
        discarded, so programs follow the distribution of the model among programs that compile.

        Raises
        ------
        SpinnError
            If the model is none of Python programs, or ``attempts`` trees in a row do not compile.

        """
        if list(self.vocabulary.roots) != [ROOT]:
            raise SpinnError("The model generates trees of sentences, not Python programs.")
        for _ in range(attempts):
            try:
                source = python_source(tree_of(self.fragments()))
            except TreeError:
                continue
            if compiles(source):
                return source
        raise SpinnError(
            f"None of {attempts} generated programs compiles. Lower --temperature or --top-k, or "
            "train the model longer."
        )
