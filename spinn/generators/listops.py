"""ListOps: nested list operations on digits and their values (Nangia and Bowman 2018).

A sentence is a digit, or an operator followed by two to five sentences; the label of
``[MAX 2 9 [MIN 4 7 ] 0 ]`` is its value, 9. The paper (arXiv 1804.06028) reports 98.7% for a
Tree-LSTM that is given the trees and 74.4% for a sequential LSTM.

Sentences follow the distribution of the paper's script and the format of its files: label, tab,
bracketed tree. The paper divides 100,000 sentences into ``train`` and ``test``; 5,000 additional
ones form ``dev``, so that no choice has to be made on ``test``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spinn.data.formats.listops import DIGITS
from spinn.generators.dice import Dice
from spinn.generators.writing import write_generated
from spinn.support.errors import ConfigurationError

SEED = 20180418
SIZES: Mapping[str, int] = {"train": 90_000, "dev": 5_000, "test": 10_000}
MAX_DEPTH = 20
MAX_ARGUMENTS = 5
LIST_PROBABILITY = 0.25
PATIENCE = 100_000  # consecutive draws without a new sentence before giving up


def _median(values: list[int]) -> int:
    """Return the median; the mean of two middle values is rounded down, as published."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _sum_modulo(values: list[int]) -> int:
    return sum(values) % 10


OPERATORS: dict[str, Callable[[list[int]], int]] = {
    "[MAX": max,
    "[MIN": min,
    "[MED": _median,
    "[SM": _sum_modulo,
}
CLOSING = "]"
_NAMES = tuple(OPERATORS)


def draw_sentence(
    dice: Dice, max_depth: int = MAX_DEPTH, max_length: int | None = None
) -> list[str] | None:
    """Draw the words of one sentence.

    The sentence and each argument is a list with probability 1/4 and a digit otherwise. The
    operator of a list and its number of arguments (2 to 5) are uniform. A digit has depth 1, a list
    one more than its deepest argument.

    Returns
    -------
    list of str or None
        ``None`` if the sentence exceeds ``max_length`` words.

    """
    words: list[str] = []
    remaining = [1]  # arguments still to draw: of the whole sentence, then of each open list
    while len(remaining) > 1 or remaining[0]:
        if not remaining[-1]:
            words.append(CLOSING)
            remaining.pop()
        else:
            remaining[-1] -= 1
            if len(remaining) < max_depth and dice.chance(LIST_PROBABILITY):
                words.append(dice.choice(_NAMES))
                remaining.append(2 + dice.below(MAX_ARGUMENTS - 1))
            else:
                words.append(dice.choice(DIGITS))
        if max_length is not None and len(words) > max_length:
            return None
    return words


def evaluate(words: Sequence[str]) -> int:
    """Return the value of a sentence, a digit."""
    arguments: list[list[int]] = [[]]  # of the whole sentence, then of each open list
    operators: list[str] = []
    for word in words:
        if word in OPERATORS:
            operators.append(word)
            arguments.append([])
        elif word == CLOSING:
            value = OPERATORS[operators.pop()](arguments.pop())
            arguments[-1].append(value)
        else:
            arguments[-1].append(int(word))
    ((value,),) = arguments
    return value


def to_brackets(words: Sequence[str]) -> str:
    """Return the binary tree of a sentence; lists branch to the left, from the operator on."""
    trees: list[str] = []  # partial tree of each open list
    for word in words:
        if word in OPERATORS:
            trees.append(word)
            continue
        whole = f"( {trees.pop()} {CLOSING} )" if word == CLOSING else word
        trees.append(f"( {trees.pop()} {whole} )" if trees else whole)
    (tree,) = trees
    return tree


def draw_splits(
    seed: int = SEED,
    sizes: Mapping[str, int] = SIZES,
    max_depth: int = MAX_DEPTH,
    max_length: int | None = None,
) -> dict[str, list[list[str]]]:
    """Draw the sentences of all splits, without duplicates.

    As published, all distinct sentences are drawn first, then shuffled and divided. Splits drawn
    one after the other would differ in length, because short sentences run out.

    Raises
    ------
    ConfigurationError
        If a size or limit is below 1, or too few sentences exist within the limits.

    """
    limits = {f"--{split}": size for split, size in sizes.items()}
    limits |= {"--max-depth": max_depth}
    limits |= {"--max-length": max_length} if max_length is not None else {}
    for flag, value in limits.items():
        if value < 1:
            raise ConfigurationError(f"{flag} is {value}; it must be at least 1.")
    dice = Dice(seed)
    sentences = _draw_different(dice, sum(sizes.values()), max_depth, max_length)
    remaining = iter(dice.shuffled(sentences))
    return {split: [next(remaining).split() for _ in range(size)] for split, size in sizes.items()}


def _draw_different(dice: Dice, count: int, max_depth: int, max_length: int | None) -> list[str]:
    found: dict[str, None] = {}  # an ordered set
    idle = 0
    while len(found) < count:
        words = draw_sentence(dice, max_depth, max_length)
        before = len(found)
        if words is not None:
            found[" ".join(words)] = None
        idle = 0 if len(found) > before else idle + 1
        if idle == PATIENCE:
            raise ConfigurationError(
                f"{count} distinct sentences were requested, but there are hardly more than "
                f"{len(found)} within these limits. Reduce the sizes or raise the limits."
            )
    return list(found)


def generate(
    directory: Path,
    seed: int = SEED,
    sizes: Mapping[str, int] = SIZES,
    max_depth: int = MAX_DEPTH,
    max_length: int | None = None,
) -> None:
    """Write ``SPLIT.tsv`` files with a label and a tree per line (under a minute).

    Arguments and errors are those of :func:`draw_splits` and :func:`write_generated`.
    """
    files = {
        f"{split}.tsv": "".join(f"{evaluate(words)}\t{to_brackets(words)}\n" for words in sentences)
        for split, sentences in draw_splits(seed, sizes, max_depth, max_length).items()
    }
    settings = {**sizes, "max_depth": max_depth, "max_length": max_length}
    write_generated(directory, "listops", seed, settings, files)
