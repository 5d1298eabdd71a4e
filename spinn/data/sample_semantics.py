"""What the sentences of the sample corpus mean, and whether one follows from another: exactly.

**Meaning.** A model is a finite set of individuals, each with the properties that the words name,
within the lexicon's axioms (a puppy is a dog, nothing is both wet and dry). Nouns, adjectives,
activities and places are such properties, all intersective: a dog running near a tree is a dog, is
running and is near a tree. So is ``holding a red ball``, which implies ``holding a toy`` but not,
for ``a fake rose``, ``holding a rose``; things held or stood near are never subjects, so that a
model can always provide them. Quantifiers count individuals: ``most`` is more than half, and
``not`` in a predicate has the scope in which it is written (``every dog is not wet`` says that all
of them are not).

**Labels.** ``every``, ``all``, ``most``, ``not every`` and ``not all`` presuppose that their noun
phrase applies to somebody. The label is Strawson entailment (von Fintel 1999, "NPI licensing,
Strawson entailment, and context dependency", Journal of Semantics 16): among the models in which
the presuppositions of both sentences hold, the premise entails the hypothesis if no model makes the
premise true and the hypothesis false, contradicts it if none makes both true, and is neutral
otherwise. So "every dog is wet" entails "some dog is wet", as in everyday reasoning.

**Decision.** All that a quantifier sees of an individual is whether it is in the restrictor (the
noun phrase) and in the scope (the predicate). A clause of the pair is a linear inequality, or two,
over how many individuals there are of each kind, where a kind says for each clause "in both", "in
the restrictor only" or "neither"; which kinds can exist is propositional logic, done with truth
tables held in integers. A label is then two questions of whether inequalities have a solution in
natural numbers (:func:`find_counts`), with coefficients -1, 0 and 1 only, and so small that search
decides them within a proved bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

from spinn.data.sample_grammar import (
    Content,
    Coordinated,
    NounPhrase,
    Place,
    Sentence,
    Thing,
    VerbPhrase,
    nodes,
    parts,
)
from spinn.data.sample_lexicon import PRIVATIVE, QUANTIFIERS, ancestors, rivals

ENTAILMENT, NEUTRAL, CONTRADICTION = LABELS = ("entailment", "neutral", "contradiction")


class Atom(NamedTuple):
    """A basic property: a word alone, or a relation to some thing (``holding`` a ``red ball``)."""

    word: str
    adjective: str | None = None
    thing: str | None = None


def implies(first: Atom, second: Atom) -> bool:
    """Tell whether the lexicon says that all with the first property have the second."""
    if second.word not in ancestors(first.word):
        return False
    if first.thing is None or second.thing is None:
        return first.thing is second.thing
    if PRIVATIVE in (first.adjective, second.adjective):
        return first[1:] == second[1:]
    return second.thing in ancestors(first.thing) and second.adjective in (None, first.adjective)


def excludes(first: Atom, second: Atom) -> bool:
    """Tell whether the lexicon says that nothing has both properties."""
    if first.thing is not None or second.thing is not None:
        return False  # one may hold both a ball and a kite
    return any(
        rival in ancestors(second.word) for word in ancestors(first.word) for rival in rivals(word)
    )


# Properties as truth tables: bit i of an integer is the truth value under the i-th assignment.


class World:
    """The possible individuals, as far as the properties that occur in these sentences go.

    Parameters
    ----------
    sentences
        All sentences that will be asked about; each further basic property doubles the tables.

    """

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.atoms = sorted(
            {atom for sentence in sentences for atom in _atoms(sentence)},
            key=lambda atom: tuple(part or "" for part in atom),
        )
        size = 1 << len(self.atoms)
        everything = (1 << size) - 1
        # the table of atom k is 2^k zeros, 2^k ones, and so on
        self._tables = {
            atom: everything // ((1 << (1 << k)) + 1) << (1 << k)
            for k, atom in enumerate(self.atoms)
        }
        self.individuals = everything
        for first, second in combinations(self.atoms, 2):
            one, other = self._tables[first], self._tables[second]
            if implies(first, second):
                self.individuals &= ~one | other
            if implies(second, first):
                self.individuals &= ~other | one
            if excludes(first, second):
                self.individuals &= ~(one & other)

    def properties(self, individual: int) -> frozenset[Atom]:
        """Name the properties of the individual with this number."""
        return frozenset(a for a, table in self._tables.items() if table >> individual & 1)

    def restrictor(self, phrase: NounPhrase) -> int:
        """Return the individuals that a noun phrase, without its quantifier, applies to."""
        table = self.individuals & self._tables[Atom(phrase.noun)]
        if phrase.adjective is not None:
            table &= self._tables[Atom(phrase.adjective)]
        if phrase.place is not None:
            table &= self._tables[_place_atom(phrase.place)]
        return table if phrase.relative is None else table & self.scope(phrase.relative)

    def scope(self, phrase: VerbPhrase) -> int:
        """Return the individuals that a predicate is true of."""
        if isinstance(phrase, Coordinated):
            left, right = self.scope(phrase.left), self.scope(phrase.right)
            return left & right if phrase.connective == "and" else left | right
        table = self._content(phrase.content)
        return self.individuals & ~table if phrase.negated else table

    def _content(self, content: Content) -> int:
        table = self.individuals
        for atom in _content_atoms(content):
            table &= self._tables[atom]
        if content.object is not None and content.object.determiner == "no":
            table = self.individuals & ~table
        return table


def _atoms(sentence: Sentence) -> Iterator[Atom]:
    for node in nodes(sentence):
        if isinstance(node, NounPhrase):
            yield Atom(node.noun)
            if node.adjective is not None:
                yield Atom(node.adjective)
            if node.place is not None:
                yield _place_atom(node.place)
        elif isinstance(node, Content):
            yield from _content_atoms(node)


def _content_atoms(content: Content) -> Iterator[Atom]:
    if content.object is not None and content.head is not None:
        yield _relation(content.head, content.object)
    elif content.head is not None:
        yield Atom(content.head)
    if content.place is not None:
        yield _place_atom(content.place)


def _place_atom(place: Place) -> Atom:
    return _relation(place.preposition, place.thing)


def _relation(word: str, thing: Thing) -> Atom:
    return Atom(word, thing.adjective, thing.noun)


# Sentences as inequalities.


class Inequality(NamedTuple):
    """``both * #(restrictor and scope) + only * #(restrictor only) >= bound``, for one clause."""

    clause: int
    both: int
    only: int
    bound: int


MOST_CLAUSES = 2  # of a sentence: more than two quantified subjects are never said

Region = tuple[int, int]  # the restrictor and the scope of a clause, as truth tables
# For each clause: 0 is outside the restrictor, 1 in restrictor and scope, 2 in the restrictor only.
Kind = tuple[int, ...]
System = tuple[Inequality, ...]  # all of them hold
Formula = tuple[System, ...]  # one of the systems holds

# (both, only, bound) triples: what each quantifier says, and what its denial says.
_AFFIRMED: dict[str, list[list[tuple[int, int, int]]]] = {
    "every": [[(0, -1, 0)]],
    "not every": [[(0, 1, 1)]],
    "most": [[(1, -1, 1)]],
    "some": [[(1, 0, 1)]],
    "no": [[(-1, 0, 0)]],
    "at least two": [[(1, 0, 2)]],
    "exactly one": [[(1, 0, 1), (-1, 0, -1)]],
}
_DENIED: dict[str, list[list[tuple[int, int, int]]]] = {
    "every": _AFFIRMED["not every"],
    "not every": _AFFIRMED["every"],
    "most": [[(-1, 1, 0)]],
    "some": _AFFIRMED["no"],
    "no": _AFFIRMED["some"],
    "at least two": [[(-1, 0, -1)]],
    "exactly one": [[(-1, 0, 0)], [(1, 0, 2)]],
}
_SAME_MEANING = {"all": "every", "not all": "not every", "a": "some"}


class Statement(NamedTuple):
    """A sentence as logic: what makes it true, what false, and what it takes for granted."""

    true: Formula
    false: Formula
    presupposed: System
    regions: tuple[Region, ...]  # one for each clause it might have
    is_informative: bool  # each noun phrase can apply, each predicate be true or false of it


def state(sentence: Sentence, world: World, first_clause: int = 0) -> Statement:
    """Translate a sentence; its clauses are numbered from ``first_clause`` on."""
    clauses = [
        (subject, world.scope(clause.predicate))
        for clause in parts(sentence)
        for subject in parts(clause.subject)
    ]
    true: list[Formula] = []
    false: list[Formula] = []
    presupposed: list[Inequality] = []
    for number, (subject, _) in enumerate(clauses, start=first_clause):
        quantifier = _SAME_MEANING.get(subject.quantifier, subject.quantifier)
        true.append(_formula(_AFFIRMED[quantifier], number))
        false.append(_formula(_DENIED[quantifier], number))
        if QUANTIFIERS[subject.quantifier].strong:
            presupposed.append(Inequality(number, 1, 1, 1))
    regions = tuple((world.restrictor(subject), scope) for subject, scope in clauses)
    informative = all(r & scope and r & ~scope for r, scope in regions)
    regions += ((0, 0),) * (MOST_CLAUSES - len(regions))
    if isinstance(sentence, Coordinated) and sentence.connective == "or":
        return Statement(_any(true), _all(false), tuple(presupposed), regions, informative)
    return Statement(_all(true), _any(false), tuple(presupposed), regions, informative)


def _formula(systems: list[list[tuple[int, int, int]]], clause: int) -> Formula:
    return tuple(tuple(Inequality(clause, *triple) for triple in system) for system in systems)


def _all(formulas: list[Formula]) -> Formula:
    return tuple(sum(choice, ()) for choice in product(*formulas))


def _any(formulas: list[Formula]) -> Formula:
    return sum(formulas, ())


# The decision.


def label(premise: Sentence, hypothesis: Sentence) -> str | None:
    """Decide a pair; see :func:`relate`."""
    world = World([premise, hypothesis])
    return relate(state(premise, world), state(hypothesis, world, MOST_CLAUSES), world)


def relate(premise: Statement, hypothesis: Statement, world: World) -> str | None:
    """Decide a pair of statements, the clauses of the hypothesis numbered from MOST_CLAUSES on.

    Returns
    -------
    One of :data:`LABELS`, or None where the question makes no sense: no model has what both
    sentences presuppose and makes the premise true, or the hypothesis is true or false in all.

    """
    kinds = tuple(list_kinds(premise.regions + hypothesis.regions, world.individuals))
    presupposed = (premise.presupposed + hypothesis.presupposed,)

    def possible(*formulas: Formula) -> bool:
        return find_model(_all([*formulas, presupposed]), kinds) is not None

    confirmed = possible(premise.true, hypothesis.true)
    refuted = possible(premise.true, hypothesis.false)
    if confirmed and refuted:
        return NEUTRAL
    if confirmed and possible(hypothesis.false):
        return ENTAILMENT
    if refuted and possible(hypothesis.true):
        return CONTRADICTION
    return None


def list_kinds(regions: Sequence[Region], individuals: int) -> dict[Kind, int]:
    """List the kinds of individuals that can exist, each with the truth table of its individuals.

    Parameters
    ----------
    regions
        Restrictor and scope of each clause, as truth tables.
    individuals
        The truth table of all individuals that the lexicon allows.

    """
    kinds: dict[Kind, int] = {(): individuals}
    for restrictor, scope in regions:
        split = (~restrictor, restrictor & scope, restrictor & ~scope)
        kinds = {
            (*kind, place): table & part
            for kind, table in kinds.items()
            for place, part in enumerate(split)
            if table & part
        }
    return kinds


def find_model(formula: Formula, kinds: tuple[Kind, ...]) -> list[Kind] | None:
    """Find a least model of a formula: the kinds of its individuals, or None if it has no model."""
    for system in formula:
        model = _solve(system, kinds)
        if model is not None:
            return model
    return None


@lru_cache(maxsize=1 << 16)
def _solve(system: System, kinds: tuple[Kind, ...]) -> list[Kind] | None:
    # Of kinds that count alike one is enough, and a kind is never needed where another one counts
    # at least as much in every inequality.
    columns: dict[tuple[int, ...], Kind] = {}
    for kind in kinds:
        weights = tuple([(0, row.both, row.only)[kind[row.clause]] for row in system])
        columns.setdefault(weights, kind)
    best = tuple(c for c in columns if not any(_exceeds(d, c) for d in columns))
    counts = find_counts(best, tuple(row.bound for row in system))
    if counts is None:
        return None
    return [columns[c] for c, count in zip(best, counts, strict=True) for _ in range(count)]


def _exceeds(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return first != second and all(a >= b for a, b in zip(first, second, strict=True))


@lru_cache(maxsize=1 << 16)
def find_counts(
    columns: tuple[tuple[int, ...], ...], bounds: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Solve ``sum(counts[k] * columns[k]) >= bounds`` in natural numbers, with least sum.

    Breadth first: while an inequality is not satisfied, some solution adds one more individual that
    counts positively in it, so only such columns are tried. The search ends at 4w + 3 individuals,
    where w is the sum of the positive bounds of *counting* inequalities, those whose coefficients
    have one sign, because a least solution has no more if at most two inequalities compare (have
    coefficients of both signs; bounds 0 or 1), which is all that two sentences with one "most"
    each can bring:

    - Mark w individuals that satisfy the counting inequalities. Any other can go, as far as these
      are concerned. So each of the others counts +1 in a comparison, and not both of the kinds
      (+1, -1) and (-1, +1) are there, for one of each could go together; say the second is not.
    - If there are p > 0 of kind (+1, -1), the first comparison is tight, or one could go; so those
      that count in it are at most w + 1, hence p <= w + 1. Then those of kind (0, +1) are at most
      w + 1 + p, if there are any, since the second comparison is tight; together 3w + 3.
    - If there are none, at most w + 1 are needed for each comparison.

    Parameters
    ----------
    columns
        The coefficients of one kind of individual in each inequality: -1, 0 or 1.
    bounds
        The right-hand sides.

    Raises
    ------
    ValueError
        If more than two inequalities compare.

    """
    rows = list(zip(*columns, strict=True)) if columns else [()] * len(bounds)
    compares = [min(row, default=0) < 0 < max(row, default=0) for row in rows]
    if sum(compares) > 2:
        raise ValueError("the bound on the search holds for at most two comparing inequalities")
    w = sum(max(b, 0) for b, both in zip(bounds, compares, strict=True) if not both)
    found: dict[tuple[int, ...], tuple[int, ...]] = {bounds: (0,) * len(columns)}
    layer = [bounds]
    for _ in range(4 * w + 4):
        following = []
        for lack in layer:
            row = next((i for i, missing in enumerate(lack) if missing > 0), None)
            if row is None:
                return found[lack]
            for k, column in enumerate(columns):
                if column[row] <= 0:
                    continue
                left = tuple(a - b for a, b in zip(lack, column, strict=True))
                if left not in found:
                    counts = found[lack]
                    found[left] = (*counts[:k], counts[k] + 1, *counts[k + 1 :])
                    following.append(left)
        layer = following
    return None
