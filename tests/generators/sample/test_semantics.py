"""The semantics of the sample corpus, against brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement, islice, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phrases import (
    BALL,
    BESIDE,
    DRY,
    FAKE_ROSE,
    FLOWER,
    MOVING,
    NEAR,
    NO_TOY,
    ROSE,
    RUNNING,
    TOY,
    WET,
    both,
    deny,
    either,
    running,
    say,
)

from spinn.data.labels import INFERENCE_LABELS
from spinn.generators.dice import Dice
from spinn.generators.sample import lexicon
from spinn.generators.sample.corpus import (
    LONG,
    SHORT,
    Limits,
    Pair,
    draw_families,
    families_for,
)
from spinn.generators.sample.grammar import (
    Clause,
    Content,
    Coordinated,
    NounPhrase,
    Place,
    Predicate,
    Sentence,
    parts,
)
from spinn.generators.sample.inequalities import find_counts, find_model, list_kinds
from spinn.generators.sample.semantics import MOST_CLAUSES, Atom, World, label, state

E, N, C = INFERENCE_LABELS


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        (say("every", "dog", WET), say("every", "puppy", WET), E),
        (say("every", "puppy", WET), say("every", "dog", WET), N),
        (say("every", "dog", WET), say("some", "dog", WET), E),
        (say("every", "dog", WET), say("some", "puppy", WET), N),
        (say("every", "dog", WET), say("some", "animal", DRY), N),
        (say("every", "dog", WET), say("a", "dog", DRY), C),
        (say("no", "animal", WET), say("not every", "dog", WET), E),
        (say("not all", "dog", WET), say("some", "animal", deny(WET)), E),
        (say("most", "dog", RUNNING), say("most", "dog", MOVING), E),
        (say("most", "dog", RUNNING), say("most", "animal", RUNNING), N),
        (say("most", "dog", WET), say("most", "dog", DRY), C),
        (say("most", "dog", WET), say("at least two", "dog", WET), N),
        (say("at least two", "puppy", WET), say("exactly one", "dog", WET), C),
        (say("exactly one", "dog", WET), say("some", "animal", WET), E),
        (say("exactly one", "dog", WET), say("exactly one", "animal", WET), N),
        (say("every", "dog", DRY, relative=RUNNING), say("every", "dog", RUNNING, relative=DRY), N),
        (say("no", "dog", DRY, relative=RUNNING), say("no", "dog", RUNNING, relative=DRY), E),
        (say("a", "dog", WET, relative=deny(RUNNING)), say("a", "dog", deny(RUNNING)), E),
        (say("a", "dog", BALL), say("a", "dog", TOY), E),
        (say("a", "dog", NO_TOY), say("a", "dog", deny(BALL)), E),
        (say("every", "dog", NO_TOY), say("some", "dog", BALL), C),
        (say("a", "dog", FAKE_ROSE), say("a", "dog", ROSE), N),
        (say("a", "dog", FAKE_ROSE), say("a", "dog", FLOWER), N),
        (say("a", "dog", ROSE), say("a", "dog", FLOWER), E),
        (say("a", "dog", running(BESIDE)), say("a", "dog", RUNNING, place=NEAR), E),
        (say("a", "dog", either(WET, RUNNING)), say("a", "dog", WET), N),
        (say("no", "dog", either(WET, RUNNING)), say("no", "dog", WET), E),
        (
            Clause(both(NounPhrase("every", "cat"), NounPhrase("some", "dog")), WET),
            say("at least two", "animal", WET),
            E,
        ),
        (
            either(say("every", "cat", WET), say("every", "dog", WET)),
            say("some", "animal", WET),
            E,
        ),
        (
            either(say("no", "cat", WET), say("some", "dog", WET)),
            both(say("every", "cat", WET), say("no", "dog", WET)),
            C,
        ),
        (
            both(say("every", "dog", WET), both(say("a", "cat", DRY), say("no", "bird", WET))),
            both(say("some", "dog", WET), say("some", "animal", DRY)),
            E,
        ),
        (
            either(say("no", "dog", WET), either(say("a", "cat", WET), say("a", "bird", DRY))),
            both(say("a", "dog", WET), both(say("no", "cat", WET), say("every", "bird", WET))),
            C,
        ),
        # a premise that denies what the hypothesis presupposes, a hypothesis that says nothing
        (say("no", "dog", WET), say("every", "dog", RUNNING, relative=WET), None),
        (say("a", "cat", WET), either(say("no", "dog", WET), say("a", "dog", WET)), None),
    ],
)
def test_labels_follow_from_the_meaning(
    premise: Sentence, hypothesis: Sentence, expected: str | None
) -> None:
    assert label(premise, hypothesis) == expected


# A second, direct semantics: sentences are evaluated in a model by looking at each individual.

Individual = frozenset[Atom]


def holds(node: Any, one: Individual) -> bool:
    """Tell whether a noun phrase (without its quantifier) or predicate is true of an individual."""
    if isinstance(node, Coordinated):
        truths = [holds(node.left, one), holds(node.right, one)]
        return all(truths) if node.connective == "and" else any(truths)
    if isinstance(node, Predicate):
        return holds(node.content, one) != node.negated
    if isinstance(node, Place):
        return Atom(node.preposition, node.thing.adjective, node.thing.noun) in one
    if isinstance(node, Content):
        here = node.place is None or holds(node.place, one)
        if node.object is not None:
            has = Atom(str(node.head), node.object.adjective, node.object.noun) in one
            return here and has == (node.object.determiner == "a")
        return here and (node.head is None or Atom(node.head) in one)
    assert isinstance(node, NounPhrase)
    return (
        Atom(node.noun) in one
        and (node.adjective is None or Atom(node.adjective) in one)
        and (node.place is None or holds(node.place, one))
        and (node.relative is None or holds(node.relative, one))
    )


View = tuple[tuple[bool, bool], ...]


def view(sentence: Sentence, one: Individual) -> View:
    """Say, for each quantified subject, whether it applies to an individual and its predicate."""
    return tuple(
        (holds(subject, one), holds(clause.predicate, one))
        for clause in parts(sentence)
        for subject in parts(clause.subject)
    )


def evaluate(sentence: Sentence, model: Sequence[View]) -> bool | None:
    """Return the truth of a sentence in a model, None where a presupposition fails."""
    subjects = [subject for clause in parts(sentence) for subject in parts(clause.subject)]
    truths = []
    for number, subject in enumerate(subjects):
        within = [one[number][1] for one in model if one[number][0]]
        if lexicon.QUANTIFIERS[subject.quantifier].strong and not within:
            return None
        meaning = {
            "every": all(within),
            "all": all(within),
            "some": any(within),
            "a": any(within),
            "no": not any(within),
            "not every": not all(within),
            "not all": not all(within),
            "most": 2 * sum(within) > len(within),
            "at least two": sum(within) >= 2,
            "exactly one": sum(within) == 1,
        }
        truths.append(meaning[subject.quantifier])
    joined_by_or = isinstance(sentence, Coordinated) and sentence.connective == "or"
    return any(truths) if joined_by_or else all(truths)


def possible_individuals(atoms: list[Atom]) -> list[Individual]:
    """List the sets of properties that the lexicon allows, straight from its tables."""

    def above(word: str) -> set[str]:
        return {word, *(above(parent) if (parent := lexicon.IMPLIES.get(word)) else ())}

    def follows(atom: Atom, other: Atom) -> bool:
        if atom.adjective == "fake" or other.adjective == "fake":
            same = (atom.adjective, atom.thing) == (other.adjective, other.thing)
            return same and other.word in above(atom.word)
        things = (atom.thing is None) == (other.thing is None) and (
            atom.thing is None or other.thing in above(atom.thing)
        )
        fits = other.adjective is None or other.adjective == atom.adjective
        return things and fits and other.word in above(atom.word)

    found = []
    for bits in product((False, True), repeat=len(atoms)):
        one = frozenset(atom for atom, bit in zip(atoms, bits, strict=True) if bit)
        said = set().union(*(above(atom.word) for atom in one if atom.thing is None))
        closed = all(b in one for a in one for b in atoms if follows(a, b))
        if closed and all(len(said & set(group)) < 2 for group in lexicon.EXCLUSIVE):
            found.append(one)
    return found


def some_pairs(seed: int, count: int, limits: Limits = SHORT) -> list[Pair]:
    families = draw_families(families_for(10 * count), set(), Dice(seed), limits)
    return list(islice((pair for family in families for pair in family), count))


def test_each_consistent_outcome_is_shown_by_a_model_found_and_checked_directly() -> None:
    for pair in some_pairs(seed=3, count=100) + some_pairs(seed=3, count=30, limits=LONG):
        world = World([pair.premise, pair.hypothesis])
        first = state(pair.premise, world)
        second = state(pair.hypothesis, world, MOST_CLAUSES)
        tables = list_kinds(first.regions + second.regions, world.individuals)
        expected = {E: [True], C: [False], N: [True, False]}[str(pair.label)]
        found = []
        for outcome, formula in ((True, second.true), (False, second.false)):
            systems = tuple(
                a + b + first.presupposed + second.presupposed
                for a, b in product(first.true, formula)
            )
            kinds = find_model(systems, tuple(tables))
            if kinds is not None:
                numbers = [(tables[kind] & -tables[kind]).bit_length() - 1 for kind in kinds]
                model = [world.properties(number) for number in numbers]
                assert set(model) <= set(possible_individuals(world.atoms))
                for sentence, truth in ((pair.premise, True), (pair.hypothesis, outcome)):
                    assert evaluate(sentence, [view(sentence, one) for one in model]) is truth
                found.append(outcome)
        assert found == expected


def test_no_small_model_speaks_against_a_label() -> None:
    checked = Counter[str | None]()
    for pair in some_pairs(seed=4, count=150):
        atoms = World([pair.premise, pair.hypothesis]).atoms
        if len(atoms) > 9:
            continue
        # individuals of whom the two sentences say the same need not be told apart
        views = {
            (view(pair.premise, one), view(pair.hypothesis, one))
            for one in possible_individuals(atoms)
        }
        if len(views) > 9:
            continue  # too many models
        models = [
            tuple(zip(*model, strict=True))
            for size in range(1, 5)
            for model in combinations_with_replacement(sorted(views), size)
        ]
        outcomes = {
            evaluate(pair.hypothesis, hypothesis_view)
            for premise_view, hypothesis_view in models
            if evaluate(pair.premise, premise_view)
        } - {None}
        checked[pair.label] += 1
        assert outcomes == {E: {True}, C: {False}, N: {True, False}}[str(pair.label)], pair
    assert min(checked[name] for name in INFERENCE_LABELS) >= 15


def test_no_random_model_contradicts_the_label_of_long_sentences() -> None:
    dice, checked = Dice(6), Counter[str | None]()
    for pair in some_pairs(seed=6, count=30, limits=LONG):
        atoms = World([pair.premise, pair.hypothesis]).atoms
        if len(atoms) > 9:
            continue
        views = sorted(
            {
                (view(pair.premise, one), view(pair.hypothesis, one))
                for one in possible_individuals(atoms)
            }
        )
        allowed = {E: {True}, C: {False}, N: {True, False}}[str(pair.label)] | {None}
        for _ in range(500):
            model = [dice.choice(views) for _ in range(1 + dice.below(6))]
            premise_view, hypothesis_view = zip(*model, strict=True)
            if evaluate(pair.premise, premise_view):
                checked[pair.label] += 1
                assert evaluate(pair.hypothesis, hypothesis_view) in allowed, pair
    assert min(checked[name] for name in INFERENCE_LABELS) >= 20


@given(st.data())
def test_counts_are_found_exactly_where_there_are_some(data: st.DataObject) -> None:
    rows, count = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    columns = tuple(tuple(data.draw(st.integers(-1, 1)) for _ in range(rows)) for _ in range(count))
    compares = [min(row) < 0 < max(row) for row in zip(*columns, strict=True)] or [False] * rows
    bounds = tuple(data.draw(st.integers(0, 1) if c else st.integers(-1, 2)) for c in compares)
    if sum(compares) > 2:
        with pytest.raises(ValueError, match="two comparing"):
            find_counts(columns, bounds)
        return

    def solves(counts: tuple[int, ...]) -> bool:
        return all(
            sum(n * column[row] for n, column in zip(counts, columns, strict=True)) >= bounds[row]
            for row in range(rows)
        )

    counts = find_counts(columns, bounds)
    if counts is not None:
        assert solves(counts)
    else:
        assert not any(solves(choice) for choice in product(range(7), repeat=count))
