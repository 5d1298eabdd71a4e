"""The semantics of the sample corpus: an exact decision procedure for the label of a pair.

**Meaning.** A model is a finite set of individuals with properties that satisfy the axioms of the
lexicon. Nouns, adjectives, activities and places are intersective properties: a dog running near a
tree is a dog, is running and is near a tree. So is ``holding a red ball``, which implies
``holding a toy``; ``holding a fake rose`` does not imply ``holding a rose``. Objects are never
subjects, so a model can always provide them. Quantifiers count individuals: ``most`` is more than
half, and ``not`` in a predicate takes the scope in which it is written (``every dog is not wet``
means that none is).

**Labels.** ``every``, ``all``, ``most``, ``not every`` and ``not all`` presuppose that their noun
phrase applies to some individual. The label is Strawson entailment (von Fintel 1999, "NPI
licensing, Strawson entailment, and context dependency", Journal of Semantics 16): among the models
that satisfy the presuppositions of both sentences, the premise entails the hypothesis if no model
makes the premise true and the hypothesis false, contradicts it if none makes both true, and is
neutral otherwise. So "every dog is wet" entails "some dog is wet".

**Decision.** A quantifier depends only on which individuals are in its restrictor (the noun phrase)
and in its scope (the predicate). The *kind* of an individual says for each clause of the pair
whether it is in both, in the restrictor only, or outside the restrictor; which kinds can exist is
computed with truth tables held in integers. Each clause is then one or two linear inequalities over
the numbers of individuals of each kind, and a label follows from whether two systems of
inequalities with coefficients -1, 0 and 1 have solutions in natural numbers, which
:func:`find_counts` decides by search within a proved bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

from spinn.data.labels import INFERENCE_LABELS
from spinn.generators.sample.grammar import (
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
from spinn.generators.sample.inequalities import (
    Formula,
    Inequality,
    Region,
    System,
    find_model,
    list_kinds,
)
from spinn.generators.sample.lexicon import PRIVATIVE, QUANTIFIERS, ancestors, rivals

ENTAILMENT, NEUTRAL, CONTRADICTION = INFERENCE_LABELS


class Atom(NamedTuple):
    """A basic property: a word, or a relation to an object (``holding`` a ``red ball``)."""

    word: str
    adjective: str | None = None
    thing: str | None = None


def implies(first: Atom, second: Atom) -> bool:
    """Return whether the first property implies the second by the axioms of the lexicon."""
    if second.word not in ancestors(first.word):
        return False
    if first.thing is None or second.thing is None:
        return first.thing is second.thing
    if PRIVATIVE in (first.adjective, second.adjective):
        return first[1:] == second[1:]
    return second.thing in ancestors(first.thing) and second.adjective in (None, first.adjective)


def excludes(first: Atom, second: Atom) -> bool:
    """Return whether the axioms of the lexicon make the two properties exclusive."""
    if first.thing is not None or second.thing is not None:
        return False  # an individual may hold both a ball and a kite
    return any(
        rival in ancestors(second.word) for word in ancestors(first.word) for rival in rivals(word)
    )


# Properties are truth tables: bit i of an integer is the truth value under the i-th assignment.


class World:
    """The possible individuals, described by the basic properties that occur in some sentences.

    Parameters
    ----------
    sentences
        All sentences to be interpreted. The tables double with each basic property.

    """

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.atoms = sorted(
            {atom for sentence in sentences for atom in _atoms(sentence)},
            key=lambda atom: tuple(part or "" for part in atom),
        )
        size = 1 << len(self.atoms)
        everything = (1 << size) - 1
        # the table of atom k repeats 2^k zeros and 2^k ones
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
        """Return the properties of an individual."""
        return frozenset(a for a, table in self._tables.items() if table >> individual & 1)

    def restrictor(self, phrase: NounPhrase) -> int:
        """Return the individuals that a noun phrase applies to, ignoring its quantifier."""
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


MOST_CLAUSES = 4  # quantified subjects of a sentence

# (both, only, bound) triples of each quantifier and of its negation.
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
    """The logical form of a sentence: truth and falsity conditions, and presuppositions."""

    true: Formula
    false: Formula
    presupposed: System
    regions: tuple[Region, ...]  # MOST_CLAUSES of them
    is_informative: bool  # whether every predicate can be both true and false of its subject


def state(sentence: Sentence, world: World, first_clause: int = 0) -> Statement:
    """Return the logical form of a sentence, with clauses numbered from ``first_clause``."""
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
    """Return the label of a pair; see :func:`relate`."""
    world = World([premise, hypothesis])
    return relate(state(premise, world), state(hypothesis, world, MOST_CLAUSES), world)


def relate(premise: Statement, hypothesis: Statement, world: World) -> str | None:
    """Return the label of two statements; clauses of the hypothesis start at ``MOST_CLAUSES``.

    Returns
    -------
    str or None
        ``None`` if the label is undefined: no model satisfies the premise and all presuppositions,
        or the hypothesis is constant in those that satisfy the presuppositions.

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
