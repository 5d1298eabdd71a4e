"""The bundled sample corpus: sentence pairs whose labels follow from their meaning.

The corpus is made of *families*: a hypothesis with premises that are rearrangements of one another,
the same words in another order, or a premise with such hypotheses, and the members of a family have
different labels. What helps is therefore how the words are put together; which words there are, or
what the hypothesis looks like, says next to nothing. The language is defined in ``sample_grammar``
and the labels are decided, exactly, in ``sample_semantics``; here families are drawn and written as
SNLI's JSON lines. The same seed gives the same bytes on any machine and any version of Python.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from spinn.data import sample_grammar as grammar
from spinn.data.sample_grammar import (
    Clause,
    Content,
    Coordinated,
    NounPhrase,
    Place,
    Predicate,
    Sentence,
    Thing,
    VerbPhrase,
)
from spinn.data.sample_semantics import CONTRADICTION, ENTAILMENT, LABELS, NEUTRAL, World, label, relate, state

SEED = 20160315
SIZES = {"train": 10_000, "dev": 1_000, "test": 1_000}

Item = TypeVar("Item")


class Dice:
    """Random choices that are the same on every platform and in every version of Python.

    Only ``random.Random.random`` is promised to keep its sequence, so all else is made from it.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, count: int) -> int:
        """Draw a number from 0 to ``count - 1``."""
        return int(self._random() * count)

    def chance(self, probability: float) -> bool:
        """Tell, with this probability, yes."""
        return self._random() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """Draw one item."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in random order."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result


# Sentences. All of a family draw on one scene, a handful of words that have to do with each other,
# for otherwise hardly any pair would be anything but neutral.


@dataclass(frozen=True)
class Scene:
    """The words that the sentences of one family may use."""

    nouns: list[str]
    adjectives: list[str]
    contents: list[Content]
    places: list[Place]


def draw_scene(dice: Dice) -> Scene:
    """Draw a few words, and for most of them a word related in meaning."""
    people = dice.chance(0.5)
    nouns = [dice.choice(grammar.PEOPLE if people else grammar.ANIMALS)]
    nouns.append(dice.choice(grammar.relatives(nouns[0])))
    states = grammar.STATES if people else grammar.STATES + grammar.ANIMAL_COLOURS
    adjectives = [dice.choice(states)]
    activities = grammar.ACTIVITIES + (grammar.SPEECH if people else ())
    contents: list[Content] = []
    while len(contents) < 2:
        form = dice.below(5)
        if form < 2:
            content = Content(dice.choice(activities))
        elif form < 4:
            heads = (*grammar.HANDLING, *grammar.STATIVES) if people else ("holding", "see")
            adjective = dice.choice((*grammar.THING_ADJECTIVES, grammar.PRIVATIVE))
            thing = Thing(dice.choice(grammar.THINGS), adjective if dice.chance(0.4) else None)
            content = Content(dice.choice(heads), object=thing)
        else:
            content = Content(dice.choice(states))
        contents.append(content)
    contents += [_relative_content(content, dice) for content in contents if dice.chance(0.6)]
    places = [Place(dice.choice(grammar.PREPOSITIONS), Thing(dice.choice(grammar.PLACES)))]
    if dice.chance(0.5):
        contents.append(Content(place=places[0]))
    return Scene(nouns, adjectives, contents, places)


def _relative_content(content: Content, dice: Dice) -> Content:
    """Change a content into one that is above it, below it or exclusive with it, where it can."""
    thing = content.object
    if thing is None:
        related = grammar.relatives(content.head or "")
        return replace(content, head=dice.choice(related)) if related else content
    if thing.adjective is not None and dice.chance(0.5):
        return replace(content, object=replace(thing, adjective=None))
    return replace(content, object=replace(thing, noun=dice.choice(grammar.relatives(thing.noun))))


def draw_sentence(scene: Scene, dice: Dice) -> Sentence:
    """Draw a syntax tree from a scene; it need not be good English yet."""
    if dice.chance(0.12):
        return Coordinated(_connective(dice), _clause(scene, dice), _clause(scene, dice))
    return _clause(scene, dice)


def _clause(scene: Scene, dice: Dice) -> Clause:
    subject: NounPhrase | Coordinated[NounPhrase] = _noun_phrase(scene, dice)
    if dice.chance(0.12):
        subject = Coordinated(_connective(dice), subject, _noun_phrase(scene, dice))
    return Clause(subject, _verb_phrase(scene, dice))


def _noun_phrase(scene: Scene, dice: Dice) -> NounPhrase:
    return NounPhrase(
        dice.choice(list(grammar.QUANTIFIERS)),
        dice.choice(scene.nouns),
        dice.choice(scene.adjectives) if dice.chance(0.25) else None,
        dice.choice(scene.places) if dice.chance(0.15) else None,
        _verb_phrase(scene, dice) if dice.chance(0.5) else None,
    )


def _verb_phrase(scene: Scene, dice: Dice) -> VerbPhrase:
    if dice.chance(0.15):
        return Coordinated(_connective(dice), _predicate(scene, dice), _predicate(scene, dice))
    return _predicate(scene, dice)


def _predicate(scene: Scene, dice: Dice) -> Predicate:
    content = dice.choice(scene.contents)
    if content.object is not None and dice.chance(0.15):
        content = replace(content, object=replace(content.object, determiner="no"))
    if content.place is None and dice.chance(0.15):
        content = replace(content, place=dice.choice(scene.places))
    return Predicate(content, negated=dice.chance(0.3))


def _connective(dice: Dice) -> str:
    return dice.choice(("and", "or"))


def rearrangements(sentence: Sentence, dice: Dice, attempts: int) -> list[Sentence]:
    """Draw sentences that have the same words in another order; the sentence itself comes first."""
    words = grammar.bag(sentence)
    kinds = [kind for kind in grammar.KINDS if len(set(grammar.fillers(sentence, kind))) > 1]
    found = [sentence]
    for _ in range(attempts if kinds else 0):
        other = dice.choice(found)
        for _ in range(1 + dice.below(2)):
            kind = dice.choice(kinds)
            other = grammar.refill(other, kind, iter(dice.shuffled(grammar.fillers(other, kind))))
        if other not in found and grammar.is_english(other) and grammar.bag(other) == words:
            found.append(other)
    return found


# Families.

PATTERNS = (
    LABELS,
    (ENTAILMENT, NEUTRAL),
    LABELS,
    (NEUTRAL, CONTRADICTION),
    LABELS,
    (CONTRADICTION, ENTAILMENT),
)


@dataclass(frozen=True)
class Pair:
    """A premise, a hypothesis and how they relate."""

    premise: Sentence
    hypothesis: Sentence
    label: str


def draw_families(dice: Dice) -> Iterator[list[Pair]]:
    """Draw families without end: their labels follow :data:`PATTERNS` in turn.

    In every other one the hypothesis is shared and the premises are rearrangements of one another,
    then the other way round. No sentence is the premise of two families.
    """
    used: set[Sentence] = set()
    for pattern, share_hypothesis in zip(cycle(PATTERNS), cycle((True,) * 6 + (False,) * 6)):
        family = None
        while family is None:
            family = _draw_family(pattern, share_hypothesis, dice)
            if family is not None and not used.isdisjoint(pair.premise for pair in family):
                family = None
        used.update(pair.premise for pair in family)
        yield family


def _draw_family(
    pattern: Sequence[str], share_hypothesis: bool, dice: Dice
) -> list[Pair] | None:
    """Try to find one family in a new scene."""
    scene = draw_scene(dice)
    varied = draw_sentence(scene, dice)
    if not _is_fit(varied):
        return None
    variants = rearrangements(varied, dice, attempts=40)
    if len(variants) < len(pattern):
        return None
    others = [draw_sentence(scene, dice) if dice.chance(0.3) else _alter(dice.choice(variants), scene, dice) for _ in range(16)]
    others = [other for other in others if _is_fit(other)]
    world = World([*variants, *others])
    first = [state(v, world) for v in variants]
    variants = [v for v, st in zip(variants, first) if st.is_contingent()]
    first = [st for st in first if st.is_contingent()]
    if len(variants) < len(pattern):
        return None
    for other in others:
        stother = state(other, world)
        if not stother.is_contingent(): continue
        by_label: dict[str, list[Pair]] = {}
        for variant, st in zip(variants, first):
            premise, hypothesis = (variant, other) if share_hypothesis else (other, variant)
            a, b = (st, stother) if share_hypothesis else (stother, st)
            found = relate(a, b.renumbered(len(a.regions)), world)
            if found is not None and premise != hypothesis:
                by_label.setdefault(found, []).append(Pair(premise, hypothesis, found))
        if all(name in by_label for name in pattern):
            return dice.shuffled([dice.choice(by_label[name]) for name in pattern])
    return None

def _is_fit(s): return grammar.is_english(s) and len(grammar.words(s)) <= 21

def _alter(sentence, scene, dice):
    for _ in range(1 + dice.below(3)):
        if isinstance(sentence, Coordinated) and dice.chance(0.7):
            sentence = dice.choice([sentence.left, sentence.right])
        kind = dice.choice(grammar.KINDS)
        values = grammar.fillers(sentence, kind)
        if values:
            k = dice.below(len(values))
            values[k] = _alternative(kind, values[k], scene, dice)
            sentence = grammar.refill(sentence, kind, iter(values))
    return sentence

def _alternative(kind, value, scene, dice):
    if kind == "quantifier":
        return dice.choice(list(grammar.QUANTIFIERS))
    if kind in ("noun", "thing"):
        return dice.choice(grammar.relatives(value) or [value])
    if kind == "adjective":
        return None if value else dice.choice(scene.adjectives)
    if kind == "place":
        return None if value else dice.choice(scene.places)
    if kind == "negation": return not value
    if kind == "relative": return None if value else _predicate(scene, dice)
    if kind == "content": return dice.choice(scene.contents)
    if kind == "connective": return "and" if value == "or" else "or"
    raise ValueError(kind)
