"""Vectors for words that a vector file lacks, induced from words of the same text that have one.

Two things are known of a word: its company, mean vectors of the words around it in the training set
(from which Khodak et al. 2018 induce vectors by a linear map), and its spelling, the runs of
characters it is made of (which Pinter et al. 2017 read with a network). A Gaussian process whose
covariance is the sum of both learns from the words that have a vector what company and spelling say
about it; a word without one gets the mean of its posterior. The company of a rare word counts for
little, and a word of which neither says anything gets the mean vector. Preparing a corpus calls
this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from spinn.data.dataset import PairDataset
from spinn.data.vocabulary import SPECIAL_WORDS, VectorTable, WordVectors

WINDOW = 5  # words on either side that count as company
LETTERS = range(3, 7)  # lengths of the runs of characters, as Bojanowski et al. 2017 take them
MOST_TEACHERS = 10_000  # words to learn from: an equation in as many unknowns is solved
_COMMON = 1e-3  # company as frequent as this counts half (Arora et al. 2017)
_FEW = 5.0  # a word met this often has its company trusted by half (in covariance)
_BLOCK = 1_000  # teachers whose spelling is laid out at a time


def induced_vectors(words: Sequence[str], table: VectorTable, text: PairDataset) -> WordVectors:
    """Gather the vectors of a vocabulary, and induce those that the table lacks.

    Parameters
    ----------
    words
        The V words; those that only other sets have come last, and all have a vector.
    table
        Where vectors are known from; its most frequent words teach too what spelling says.
    text
        The training set, in the numbers of the vocabulary.

    Returns
    -------
    WordVectors
        With a vector in each row ``[V, E]``, of which ``known`` marks those that are the table's.
        Words that only other sets have change no vector.

    """
    result = table.of(list(words))
    counts = _counts(text, len(words))
    own = words[: int(((counts > 0) | ~result.known).nonzero().max()) + 1]
    met = set(own)
    others = [word for word in islice(table.words, MOST_TEACHERS) if word not in met]
    induced = _completed([*own, *others], table.of([*own, *others]), text)
    result.vectors[: len(own)] = induced[: len(own)]
    return result


def _completed(words: Sequence[str], given: WordVectors, text: PairDataset) -> Tensor:
    """Put induced vectors in place of those that are not known ``[V, E]``.

    They are the posterior mean of Gaussian process regression with noise of variance 1, of vectors
    less their mean (Rasmussen and Williams 2006, equation 2.25).
    """
    counts = _counts(text, len(words))
    known = given.known.nonzero().squeeze(1)
    teachers = known[counts[known].argsort(descending=True, stable=True)[:MOST_TEACHERS]]
    if not len(teachers):
        return given.vectors
    mean = given.vectors[teachers].mean(dim=0)
    centred = torch.where(given.known[:, None], given.vectors - mean, 0.0)
    company = _standardised(_company(text, counts, centred, given.known), counts)
    covariance = _Covariance(company, _spelling(words))
    observed = torch.cat([covariance(teachers, some) for some in teachers.split(_BLOCK)], dim=1)
    observed.diagonal().add_(1.0)
    weights = torch.cholesky_solve(centred[teachers], torch.linalg.cholesky(observed))
    vectors = torch.where(given.known[:, None], given.vectors, mean)
    missing = (~given.known).nonzero().squeeze(1)
    for some, weight in zip(teachers.split(_BLOCK), weights.split(_BLOCK), strict=True):
        vectors[missing] += covariance(missing, some) @ weight
    return vectors


def _counts(text: PairDataset, size: int) -> Tensor:
    """Count how often each of so many words stands in the text."""
    return torch.bincount(torch.from_numpy(text.words).long(), minlength=size)


@dataclass
class _Covariance:
    """How alike words are: in company ``[V, 3E]``, plus in spelling ``[V, G]`` (sparse)."""

    company: Tensor
    spelling: Tensor

    def __call__(self, some: Tensor, others: Tensor) -> Tensor:
        """Between words ``some`` ``[n]`` and ``others`` ``[m]``: ``[n, m]``."""
        letters = self.spelling.index_select(0, others).t().to_dense()
        spelling = torch.sparse.mm(self.spelling.index_select(0, some), letters)
        return spelling.addmm_(self.company[some], self.company[others].T)


def _company(text: PairDataset, counts: Tensor, centred: Tensor, known: Tensor) -> Tensor:
    """Average the vectors of the word before, the word after, and all in the window ``[V, 3E]``.

    In the window a word counts the less, the further off and the more frequent it is. One more
    company of the mean vector is added throughout, so that a single neighbour says little.
    """
    size = len(centred)
    rarity = _COMMON / (_COMMON + counts / counts.sum())
    # Vectors, and a last column that counts those that are known.
    plain = torch.cat([centred, known[:, None].float()], dim=1)
    weighted = rarity[:, None] * plain
    before, after, near = (torch.zeros_like(plain) for _ in range(3))
    for distance in range(1, WINDOW + 1):
        follows = _pairs(text, distance, size)
        leads = follows.t().coalesce()
        near += (torch.sparse.mm(follows, weighted) + torch.sparse.mm(leads, weighted)) / distance
        if distance == 1:
            after, before = torch.sparse.mm(follows, plain), torch.sparse.mm(leads, plain)
    return torch.cat([sums[:, :-1] / (sums[:, -1:] + 1) for sums in (before, after, near)], dim=1)


def _pairs(text: PairDataset, distance: int, size: int) -> Tensor:
    """Count how often one word stands so far behind another in a sentence ``[V, V]`` (sparse)."""
    sentences = np.arange(len(text.lengths)).repeat(text.lengths)
    together = sentences[:-distance] == sentences[distance:]
    places = np.stack([text.words[:-distance][together], text.words[distance:][together]])
    ones = torch.ones(places.shape[1])
    return torch.sparse_coo_tensor(
        torch.from_numpy(places).long(), ones, (size, size), check_invariants=False
    ).coalesce()


def _standardised(company: Tensor, counts: Tensor) -> Tensor:
    """Give company a variance of 1 in all, less where a word has been met seldom.

    A sentence that the text has several times counts each time.
    """
    met = company[counts > 0]
    if len(met) < 2:
        return torch.zeros_like(company)
    scaled = (company - met.mean(dim=0)) / (met.std(dim=0) + 1e-6)
    trust = (counts / (counts + _FEW)).sqrt()
    return scaled * trust[:, None] / scaled.shape[1] ** 0.5


def _spelling(words: Sequence[str]) -> Tensor:
    """Describe words by the runs of characters that two or more of them share ``[V, G]`` (sparse).

    Rows have length 1. A word that shares no run has an empty one, as have the unknown word and
    padding, which are no words.
    """
    runs = [
        _runs(word) if number >= len(SPECIAL_WORDS) else [] for number, word in enumerate(words)
    ]
    counts = Counter(run for found in runs for run in found)
    numbers = {run: number for number, run in enumerate(r for r, n in counts.items() if n > 1)}
    shared = [[numbers[run] for run in found if run in numbers] for found in runs]
    rows = torch.arange(len(words)).repeat_interleave(torch.tensor([len(s) for s in shared]))
    columns = torch.tensor([number for found in shared for number in found], dtype=torch.long)
    values = torch.cat([torch.full((len(s),), max(len(s), 1) ** -0.5) for s in shared])
    return torch.sparse_coo_tensor(
        torch.stack([rows, columns]), values, (len(words), len(numbers)), check_invariants=False
    ).coalesce()


def _runs(word: str) -> list[str]:
    """List the distinct runs of characters of a word between its ends."""
    marked = f"<{word}>"
    found = (
        marked[start : start + length]
        for length in LETTERS
        for start in range(len(marked) - length + 1)
    )
    return list(dict.fromkeys(found))
