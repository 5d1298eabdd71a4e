"""Propositional logic: pairs of formulas, and which of seven relations holds between them.

The task of Bowman, Manning and Potts (2015, arXiv 1506.04834), by the procedure of the script that
made the published files (github.com/sleepinyourhat/vector-entailment, ``propositionallogic``). Two
formulas over the same four of six variables are drawn; a pair has the size of the formula with more
operators (``not``, ``and``, ``or``). A model that learns on small pairs and is tested on larger
ones shows whether it has learned what the operators do. So there are ``trainN`` and ``testN`` for
pairs of size N up to 6, as many as were published, and ``testN`` alone for the larger ones.

One thing differs: pairs of more than 12 operators were published with those of 12, and are left out
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from spinn.data.dice import Dice
from spinn.data.generated import write_generated
from spinn.errors import ConfigurationError

SEED = 20150614
# How many different pairs of each size, from 0 on, the published files have, train and test.
PUBLISHED = (36, 2_729, 14_649, 27_356, 35_734, 40_179, 38_768)
TRAIN_SHARE = 0.85
LARGEST = 12
LARGER_PAIRS = 2_000

VARIABLES = "abcdef"
VARIABLES_IN_PAIR = 4
# A formula may have two parts where there is room for two operands, and each part half its room.
ROOM = 12
CONNECTIVE_PROBABILITY = 4 / 9
NEGATION_PROBABILITY = 1 / 3
MOST_OPERATORS = 15  # of half a million pairs, some 300 have 15 operators, and 100 have 16

# A truth table is an integer whose bit w tells whether the formula is true in valuation w, and bit
# v of w whether variable v is true in it.
VALUATIONS = 2 ** len(VARIABLES)
ALWAYS = 2**VALUATIONS - 1
TABLES = {
    variable: sum(1 << valuation for valuation in range(VALUATIONS) if valuation >> index & 1)
    for index, variable in enumerate(VARIABLES)
}


class Formula(NamedTuple):
    """A formula in brackets, how many operators it has, and its truth table."""

    text: str
    operators: int
    table: int


class Pair(NamedTuple):
    """Two formulas and the relation of the first to the second."""

    relation: str
    first: str
    second: str


def relate(first: int, second: int) -> str:
    """Name the relation of two truth tables, neither of them always or never true.

    Equivalence ``=``, forward and reverse entailment ``<`` and ``>``, negation ``^`` (one of the
    two is true, never both), alternation ``|`` (never both), cover ``v`` (always one or both), and
    independence ``#`` for all else (MacCartney and Manning 2009).
    """
    if first == second:
        return "="
    if first == ALWAYS ^ second:
        return "^"
    if first & second == first:
        return "<"
    if first & second == second:
        return ">"
    if first & second == 0:
        return "|"
    if first | second == ALWAYS:
        return "v"
    return "#"


def draw_formula(dice: Dice, variables: Sequence[str], room: int = ROOM) -> Formula:
    """Draw a formula; it or any part of it is negated with probability 1/3."""
    if room >= 2 and dice.chance(CONNECTIVE_PROBABILITY):
        left = draw_formula(dice, variables, room // 2)
        right = draw_formula(dice, variables, room // 2)
        is_and = dice.chance(0.5)
        text = f"( {left.text} ( {'and' if is_and else 'or'} {right.text} ) )"
        table = left.table & right.table if is_and else left.table | right.table
        formula = Formula(text, left.operators + right.operators + 1, table)
    else:
        variable = dice.choice(variables)
        formula = Formula(variable, 0, TABLES[variable])
    if dice.chance(NEGATION_PROBABILITY):
        return Formula(f"( not {formula.text} )", formula.operators + 1, ALWAYS ^ formula.table)
    return formula


def draw_pairs(dice: Dice, wanted: Mapping[int, int]) -> dict[int, list[Pair]]:
    """Draw different pairs, for each size as many as are wanted, in the order of being found.

    Formulas that are always or never true are left out, as published.
    """
    found: dict[int, dict[Pair, None]] = {size: {} for size in wanted}  # sets that keep their order
    missing = set(wanted)
    while missing:
        variables = dice.shuffled(VARIABLES)[:VARIABLES_IN_PAIR]
        first, second = draw_formula(dice, variables), draw_formula(dice, variables)
        size = max(first.operators, second.operators)
        if size in missing and not {first.table, second.table} & {0, ALWAYS}:
            relation = relate(first.table, second.table)
            found[size][Pair(relation, first.text, second.text)] = None
            if len(found[size]) == wanted[size]:
                missing.remove(size)
    return {size: list(pairs) for size, pairs in found.items()}


def draw_files(
    seed: int = SEED, largest: int = LARGEST, pairs: int = LARGER_PAIRS
) -> dict[str, list[Pair]]:
    """Draw the pairs of all files; no pair is in two of them.

    Up to size 6 the first 85% of the pairs found are for training, as published.

    Parameters
    ----------
    seed
        Equal arguments give equal corpora.
    largest
        The size of the largest pairs.
    pairs
        How many pairs each size above 6 has.

    Raises
    ------
    ConfigurationError
        If ``largest`` is not from 0 to 15, or ``pairs`` is below 1.

    """
    if not 0 <= largest <= MOST_OPERATORS:
        raise ConfigurationError(
            f"--largest is {largest}; it must be from 0 to {MOST_OPERATORS}, for pairs of more "
            "operators are hardly ever drawn."
        )
    if pairs < 1:
        raise ConfigurationError(f"--pairs is {pairs}; it must be at least 1.")
    trained = len(PUBLISHED)
    wanted = {s: PUBLISHED[s] if s < trained else pairs for s in range(largest + 1)}
    drawn = draw_pairs(Dice(seed), wanted)
    cut = {size: int(TRAIN_SHARE * len(drawn[size])) if size < trained else 0 for size in drawn}
    train = {f"train{size}": some[: cut[size]] for size, some in drawn.items() if cut[size]}
    return train | {f"test{size}": some[cut[size] :] for size, some in drawn.items()}


def generate(
    directory: Path, seed: int = SEED, largest: int = LARGEST, pairs: int = LARGER_PAIRS
) -> None:
    """Write ``trainN`` and ``testN``: relation and two formulas in each line, tabs between.

    Parameters
    ----------
    directory
        Where to write; it is made if need be, and files of these names in it are replaced.
    seed, largest, pairs
        As for :func:`draw_files`.

    Raises
    ------
    ConfigurationError
        As :func:`draw_files` does.
    DataError
        If the files cannot be written.

    """
    files = {
        name: "".join("\t".join(pair) + "\n" for pair in some)
        for name, some in draw_files(seed, largest, pairs).items()
    }
    write_generated(directory, "logic", seed, {"largest": largest, "pairs": pairs}, files)
