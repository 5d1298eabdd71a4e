"""Induced vectors of words without a pretrained one (``--induce-vectors``).

A word is described by its contexts, mean vectors of the surrounding words in the training set (from
which Khodak et al. 2018 induce vectors by a linear map), and by its spelling, the character n-grams
it consists of (which Pinter et al. 2017 encode with a network). A Gaussian process whose covariance
is the sum of two kernels, one for each description, is fitted to the words with a vector; the
others get its posterior mean. The contexts of a rare word have little weight, and a word without
informative contexts or n-grams gets the mean vector.
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
from spinn.data.transforms import VectorSourceOptions
from spinn.data.vectors import VectorTable, WordVectors
from spinn.data.vocabulary import SPECIAL_WORDS
from spinn.support.options import Condition, Group, option

WINDOW = 5  # words on either side
NGRAMS = range(3, 7)  # lengths of character n-grams, as in Bojanowski et al. 2017
MOST_OBSERVED = 10_000  # words to fit: the size of the linear system
_COMMON = 1e-3  # relative frequency of a context word with weight 1/2 (Arora et al. 2017)
_FEW = 5.0  # number of occurrences at which the context kernel has weight 1/2
_BLOCK = 1_000  # observed words whose n-grams are dense at a time


def induced_vectors(words: Sequence[str], table: VectorTable, text: PairDataset) -> WordVectors:
    """Return the vectors of a vocabulary; those missing in the table are induced.

    Parameters
    ----------
    words
        The V words. Words that occur only in other sets than training come last, and all of these
        have a pretrained vector; they do not affect the others.
    table
        Pretrained vectors. Its most frequent words are observed too, for their spelling.
    text
        The training set.

    Returns
    -------
    WordVectors
        Vectors ``[V, E]``, with ``known`` true for those of the table.

    """
    result = table.of(list(words))
    counts = _counts(text, len(words))
    own = words[: int(((counts > 0) | ~result.known).nonzero().max()) + 1]
    met = set(own)
    others = [word for word in islice(table.words, MOST_OBSERVED) if word not in met]
    induced = _completed([*own, *others], table.of([*own, *others]), text)
    result.vectors[: len(own)] = induced[: len(own)]
    return result


def _completed(words: Sequence[str], given: WordVectors, text: PairDataset) -> Tensor:
    """Return the vectors ``[V, E]`` with induced ones in place of those that are not known.

    They are the posterior mean of Gaussian process regression on centred vectors, with noise of
    variance 1 (Rasmussen and Williams 2006, equation 2.25).
    """
    counts = _counts(text, len(words))
    known = given.known.nonzero().squeeze(1)
    observed = known[counts[known].argsort(descending=True, stable=True)[:MOST_OBSERVED]]
    if not len(observed):
        return given.vectors
    mean = given.vectors[observed].mean(dim=0)
    centred = torch.where(given.known[:, None], given.vectors - mean, 0.0)
    contexts = _standardised(_contexts(text, counts, centred, given.known), counts)
    covariance = _Covariance(contexts, _spelling(words))
    gram = torch.cat([covariance(observed, some) for some in observed.split(_BLOCK)], dim=1)
    gram.diagonal().add_(1.0)
    weights = torch.cholesky_solve(centred[observed], torch.linalg.cholesky(gram))
    vectors = torch.where(given.known[:, None], given.vectors, mean)
    missing = (~given.known).nonzero().squeeze(1)
    for some, weight in zip(observed.split(_BLOCK), weights.split(_BLOCK), strict=True):
        vectors[missing] += covariance(missing, some) @ weight
    return vectors


def _counts(text: PairDataset, size: int) -> Tensor:
    """Return the number of occurrences ``[size]`` of each word."""
    return torch.bincount(torch.from_numpy(text.words).long(), minlength=size)


@dataclass
class _Covariance:
    """Covariance of words: linear kernels of contexts ``[V, 3E]`` and n-grams ``[V, G]``."""

    contexts: Tensor
    spelling: Tensor  # sparse

    def __call__(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the covariances ``[n, m]`` of words ``some`` ``[n]`` and ``others`` ``[m]``."""
        letters = self.spelling.index_select(0, others).t().to_dense()
        spelling = torch.sparse.mm(self.spelling.index_select(0, some), letters)
        return spelling.addmm_(self.contexts[some], self.contexts[others].T)


def _contexts(text: PairDataset, counts: Tensor, centred: Tensor, known: Tensor) -> Tensor:
    """Return mean vectors of the previous word, the next word, and the window ``[V, 3E]``.

    Words of the window are weighted by inverse distance and rarity. One occurrence of the mean
    vector is added to each context, which shrinks those of rare words.
    """
    size = len(centred)
    rarity = _COMMON / (_COMMON + counts / counts.sum())
    # The last column counts the words with a vector.
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
    """Count pairs of words at a distance within a sentence: sparse ``[V, V]``, first by second."""
    sentences = np.arange(len(text.lengths)).repeat(text.lengths)
    together = sentences[:-distance] == sentences[distance:]
    places = np.stack([text.words[:-distance][together], text.words[distance:][together]])
    ones = torch.ones(places.shape[1])
    return torch.sparse_coo_tensor(
        torch.from_numpy(places).long(), ones, (size, size), check_invariants=False
    ).coalesce()


def _standardised(contexts: Tensor, counts: Tensor) -> Tensor:
    """Standardise contexts over the words that occur, and scale down those of rare words.

    The variances of all columns add up to 1.
    """
    met = contexts[counts > 0]
    if len(met) < 2:
        return torch.zeros_like(contexts)
    scaled = (contexts - met.mean(dim=0)) / (met.std(dim=0) + 1e-6)
    trust = (counts / (counts + _FEW)).sqrt()
    return scaled * trust[:, None] / scaled.shape[1] ** 0.5


def _spelling(words: Sequence[str]) -> Tensor:
    """Return the normalised n-gram vectors of words: sparse ``[V, G]``.

    Only n-grams that two or more words share have a column. Rows of the special words are empty.
    """
    ngrams = [
        _ngrams(word) if number >= len(SPECIAL_WORDS) else [] for number, word in enumerate(words)
    ]
    counts = Counter(ngram for found in ngrams for ngram in found)
    numbers = {ngram: number for number, ngram in enumerate(r for r, n in counts.items() if n > 1)}
    shared = [[numbers[ngram] for ngram in found if ngram in numbers] for found in ngrams]
    rows = torch.arange(len(words)).repeat_interleave(torch.tensor([len(s) for s in shared]))
    columns = torch.tensor([number for found in shared for number in found], dtype=torch.long)
    values = torch.cat([torch.full((len(s),), max(len(s), 1) ** -0.5) for s in shared])
    return torch.sparse_coo_tensor(
        torch.stack([rows, columns]), values, (len(words), len(numbers)), check_invariants=False
    ).coalesce()


def _ngrams(word: str) -> list[str]:
    """Return the distinct character n-grams of a word with its boundaries marked."""
    marked = f"<{word}>"
    found = (
        marked[start : start + length]
        for length in NGRAMS
        for start in range(len(marked) - length + 1)
    )
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class InducedVectorsOptions(VectorSourceOptions):
    """Induced vectors of words without a pretrained one (``--induce-vectors``)."""

    induce_vectors: bool = option(
        False,
        "induce the vectors of words without a pretrained one from their contexts in training and "
        "from their spelling, instead of drawing them at random",
        when=Condition(lambda values: values["vectors"] is not None, "it belongs to --vectors"),
    )

    def complete(self, words: Sequence[str], table: VectorTable, text: PairDataset) -> WordVectors:
        """Return the vectors of a vocabulary, see :func:`induced_vectors`."""
        return induced_vectors(words, table, text)


INDUCED_VECTORS_GROUP = Group(
    "induced_vectors",
    InducedVectorsOptions,
    Condition(
        lambda values: values["vectors"] is not None and values["induce_vectors"],
        "it belongs to --induce-vectors",
    ),
)
