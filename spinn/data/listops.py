"""ListOps: nested lists of digits, and the digit that each comes to (Nangia and Bowman 2018).

A sentence is a digit, or a list of two to five sentences with an operator in front; the label of
``[MAX 2 9 [MIN 4 7 ] 0 ]`` is 9. The task is easy for a model that is given the tree (98.7% for the
paper's tree-LSTM) and hard for one that reads from left to right (74.4% for its LSTM).

Sentences are drawn as the paper's script draws them, and written as in its files, label and
bracketed tree with a tab between. It cuts 100,000 sentences (arXiv 1804.06028) into ``train`` and
``test``; 5,000 more are ``dev`` here, so that nothing need be chosen on ``test``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spinn.data.dice import Dice
from spinn.data.generated import write_generated
from spinn.errors import ConfigurationError

SEED = 20180418
SIZES: Mapping[str, int] = {"train": 90_000, "dev": 5_000, "test": 10_000}
MAX_DEPTH = 20
MAX_ARGUMENTS = 5
LIST_PROBABILITY = 0.25
# So many draws in a row without a new sentence mean that there are hardly any more.
PATIENCE = 100_000


def _median(values: list[int]) -> int:
    """Take the middle value; of two middle ones the mean, rounded down, as published."""
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
_NAMES, _DIGITS = tuple(OPERATORS), tuple("0123456789")


def draw_sentence(
    dice: Dice, max_depth: int = MAX_DEPTH, max_length: int | None = None
) -> list[str] | None:
    """Draw the words of one sentence: a list with probability 1/4, else a digit, and so within.

    A list has two to five arguments, each number as likely as the others, and any operator. A digit
    alone has depth 1, a list one more than its deepest argument. What grows over ``max_length``
    words is given up: the result is ``None``.
    """
    words: list[str] = []
    wanting = [1]  # how many arguments are still to come: the sentence itself, then each open list
    while len(wanting) > 1 or wanting[0]:
        if not wanting[-1]:
            words.append(CLOSING)
            wanting.pop()
        else:
            wanting[-1] -= 1
            if len(wanting) < max_depth and dice.chance(LIST_PROBABILITY):
                words.append(dice.choice(_NAMES))
                wanting.append(2 + dice.below(MAX_ARGUMENTS - 1))
            else:
                words.append(dice.choice(_DIGITS))
        if max_length is not None and len(words) > max_length:
            return None
    return words


def evaluate(words: Sequence[str]) -> int:
    """Compute what a sentence comes to, a digit."""
    arguments: list[list[int]] = [[]]  # of the sentence itself, then of each open list
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
    """Write the binary tree of a sentence.

    Lists branch to the left: the operator joins its first argument, the two of them the second one,
    and so on to the closing bracket.
    """
    trees: list[str] = []  # of each open list, as far as it goes
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
    """Draw the sentences of all splits; none occurs twice.

    As published, different sentences are drawn until there are enough, shuffled, and only then cut
    into splits. Short ones soon run out, so of splits drawn one by one each would be longer than
    the one before.

    Raises
    ------
    ConfigurationError
        If a size or limit is below 1, or there are not that many sentences within the limits.

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
    found: dict[str, None] = {}  # a set that keeps its order
    idle = 0
    while len(found) < count:
        words = draw_sentence(dice, max_depth, max_length)
        before = len(found)
        if words is not None:
            found[" ".join(words)] = None
        idle = 0 if len(found) > before else idle + 1
        if idle == PATIENCE:
            raise ConfigurationError(
                f"{count} different sentences are wanted, but there are hardly more than "
                f"{len(found)} within these limits. Ask for fewer, or for longer or deeper ones."
            )
    return list(found)


def generate(
    directory: Path,
    seed: int = SEED,
    sizes: Mapping[str, int] = SIZES,
    max_depth: int = MAX_DEPTH,
    max_length: int | None = None,
) -> None:
    """Write ``SPLIT.tsv`` files, label and tree in each line, which takes under a minute.

    Parameters
    ----------
    directory
        Where to write; it is made if need be, and files of these names in it are replaced.
    seed, sizes, max_depth, max_length
        As for :func:`draw_splits`.

    Raises
    ------
    ConfigurationError
        As :func:`draw_splits` does.
    DataError
        If the files cannot be written.

    """
    files = {
        f"{split}.tsv": "".join(f"{evaluate(words)}\t{to_brackets(words)}\n" for words in sentences)
        for split, sentences in draw_splits(seed, sizes, max_depth, max_length).items()
    }
    settings = {**sizes, "max_depth": max_depth, "max_length": max_length}
    write_generated(directory, "listops", seed, settings, files)
