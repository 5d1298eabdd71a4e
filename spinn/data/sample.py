"""The bundled sample corpus: sentence pairs whose labels follow from their meaning.

The corpus is made of *families* of two or three pairs with different labels. In most, the premises
or the hypotheses are rearrangements of one another: the same words in another order. What helps is
therefore how the words are put together; which words there are says little, and what the hypothesis
looks like next to nothing. The language is defined in ``sample_grammar`` and labels are decided,
exactly, in ``sample_semantics``; here families are drawn and written as SNLI's JSON lines. The same
seed gives the same bytes on any machine and with any version of Python.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from spinn.data.sample_semantics import (
    CONTRADICTION,
    ENTAILMENT,
    LABELS,
    NEUTRAL,
    World,
    relate,
    state,
)

SEED = 20160315
SIZES: Mapping[str, int] = {"train": 10_000, "dev": 1_000, "test": 1_000}

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


# As often as they stand here, for the rarer ones would crowd out what people mostly say.
QUANTIFIER_URN = (
    *(("every", "all", "some", "a", "no") * 2),
    *("not every", "not all", "most", "at least two", "exactly one"),
)


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
    if dice.chance(0.06):
        return Coordinated(_connective(dice), _clause(scene, dice), _clause(scene, dice))
    return _clause(scene, dice)


def _clause(scene: Scene, dice: Dice) -> Clause:
    subject: NounPhrase | Coordinated[NounPhrase] = _noun_phrase(scene, dice)
    if dice.chance(0.06):
        subject = Coordinated(_connective(dice), subject, _noun_phrase(scene, dice))
    return Clause(subject, _verb_phrase(scene, dice))


def _noun_phrase(scene: Scene, dice: Dice) -> NounPhrase:
    return NounPhrase(
        dice.choice(QUANTIFIER_URN),
        dice.choice(scene.nouns),
        dice.choice(scene.adjectives) if dice.chance(0.2) else None,
        dice.choice(scene.places) if dice.chance(0.1) else None,
        _verb_phrase(scene, dice) if dice.chance(0.6) else None,
    )


def _verb_phrase(scene: Scene, dice: Dice) -> VerbPhrase:
    if dice.chance(0.1):
        return Coordinated(_connective(dice), _predicate(scene, dice), _predicate(scene, dice))
    return _predicate(scene, dice)


def _predicate(scene: Scene, dice: Dice) -> Predicate:
    content = dice.choice(scene.contents)
    if content.object is not None and dice.chance(0.15):
        content = replace(content, object=replace(content.object, determiner="no"))
    if content.place is None and dice.chance(0.1):
        content = replace(content, place=dice.choice(scene.places))
    return Predicate(content, negated=dice.chance(0.4))


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


def alter(sentence: Sentence, scene: Scene, dice: Dice) -> Sentence:
    """Change a sentence in one to three places; the result need not be good English yet."""
    for _ in range(1 + dice.below(3)):
        if isinstance(sentence, Coordinated) and dice.chance(0.7):
            sentence = dice.choice(grammar.parts(sentence))
        kind = dice.choice(grammar.KINDS)
        values = grammar.fillers(sentence, kind)
        if values:
            place = dice.below(len(values))
            values[place] = _alternative(kind, values[place], scene, dice)
            sentence = grammar.refill(sentence, kind, iter(values))
    return sentence


def _alternative(kind: str, value: Any, scene: Scene, dice: Dice) -> Any:
    """Draw another filler for a slot: a related word, or nothing for an optional one."""
    if kind in ("noun", "thing"):
        return dice.choice(grammar.relatives(value) or [value])
    if kind == "negation":
        return not value
    if kind == "connective":
        return "and" if value == "or" else "or"
    if kind == "quantifier":
        return dice.choice(QUANTIFIER_URN)
    if kind == "content":
        return dice.choice(scene.contents)
    if value is not None:
        return None
    if kind == "adjective":
        return dice.choice(scene.adjectives)
    return dice.choice(scene.places) if kind == "place" else _verb_phrase(scene, dice)


# Families.


class Shared(Enum):
    """What the pairs of a family have in common, and how they differ."""

    PREMISE = "one premise; the hypotheses are rearrangements of one another"
    HYPOTHESIS = "one hypothesis; the premises are rearrangements of one another"
    TOPIC = "one hypothesis; the premises are about the same things"


class Kind(NamedTuple):
    """A sort of family: what is shared, and which labels its pairs have."""

    shared: Shared
    labels: tuple[str, ...]


# The corpus has families in these proportions, so that labels are balanced for each of the three.
ROUND = Counter(
    {
        Kind(Shared.PREMISE, LABELS): 3,
        Kind(Shared.TOPIC, LABELS): 3,
        Kind(Shared.HYPOTHESIS, (ENTAILMENT, NEUTRAL)): 1,
        Kind(Shared.HYPOTHESIS, (NEUTRAL, CONTRADICTION)): 1,
        Kind(Shared.PREMISE, (ENTAILMENT, CONTRADICTION)): 1,
    }
)
LONGEST = 20  # words, not counting the full stop


class Pair(NamedTuple):
    """A premise, a hypothesis and how they relate."""

    premise: Sentence
    hypothesis: Sentence
    label: str


Family = list[Pair]


def draw_families(wanted: Counter[Kind], used: set[Sentence], dice: Dice) -> Iterator[Family]:
    """Draw as many families of each kind as are wanted.

    Parameters
    ----------
    wanted
        How many of each kind.
    used
        Premises that must not occur; those of the new families are added, so that no sentence is
        the premise of two families.
    dice
        The source of randomness.

    """
    missing = +wanted
    while missing:
        scene = draw_scene(dice)
        for shared, groups in _draw_groups(scene, dice):
            kinds = [kind for kind in missing if kind.shared is shared]
            family = _choose_family(groups, kinds, used, dice)
            if family is not None:
                labels = {pair.label for pair in family}
                kind = next(kind for kind in kinds if set(kind.labels) == labels)
                missing = missing - Counter([kind])
                used.update(pair.premise for pair in family)
                yield family


def _draw_groups(scene: Scene, dice: Dice) -> Iterator[tuple[Shared, list[list[Pair]]]]:
    """Draw pairs from a scene: rearrangements of one sentence against other sentences.

    Yields groups of pairs that share a sentence, from which families can be chosen.
    """
    sentence = draw_sentence(scene, dice)
    if not _is_fit(sentence):
        return
    variants = rearrangements(sentence, dice, attempts=30)
    if len(variants) < 2:
        return
    others = [alter(dice.choice(variants), scene, dice) for _ in range(12)]
    others = [other for other in dict.fromkeys(others) if _is_fit(other)]
    world = World([*variants, *others])
    upwards = [
        [pair for variant in variants if (pair := _relate(variant, other, world))]
        for other in others
    ]
    yield Shared.HYPOTHESIS, upwards
    downwards = [
        [pair for variant in variants if (pair := _relate(other, variant, world))]
        for other in others
    ]
    yield Shared.PREMISE, downwards
    yield (
        Shared.TOPIC,
        [
            [pair for group in downwards for pair in group if pair.hypothesis == variant]
            for variant in variants
        ],
    )


def _is_fit(sentence: Sentence) -> bool:
    return grammar.is_english(sentence) and len(grammar.words(sentence)) <= LONGEST + 1


def _relate(premise: Sentence, hypothesis: Sentence, world: World) -> Pair | None:
    first = state(premise, world)
    second = state(hypothesis, world, first_clause=len(first.regions))
    if premise == hypothesis or not first.is_contingent() or not second.is_contingent():
        return None
    label = relate(first, second, world)
    return None if label is None else Pair(premise, hypothesis, label)


def _choose_family(
    groups: Sequence[Sequence[Pair]], kinds: Sequence[Kind], used: set[Sentence], dice: Dice
) -> Family | None:
    """Choose a family of one of the kinds from one of the groups, if there is any."""
    families = []
    for group in groups:
        by_label: dict[str, list[Pair]] = {}
        for pair in group:
            if pair.premise not in used:
                by_label.setdefault(pair.label, []).append(pair)
        families += [
            [dice.choice(by_label[label]) for label in kind.labels]
            for kind in kinds
            if by_label.keys() >= set(kind.labels)
        ]
    return dice.choice(families) if families else None


# Files.


def rows(size: int, used: set[Sentence], dice: Dice) -> list[dict[str, Any]]:
    """Draw the pairs of one split in SNLI's fields; see :func:`draw_families` for ``used``."""
    rounds = -(-size // sum(len(kind.labels) * count for kind, count in ROUND.items()))
    wanted = Counter({kind: count * rounds for kind, count in ROUND.items()})
    families = draw_families(wanted, used, dice)
    pairs = [(pair, number) for number, family in enumerate(families) for pair in family]
    return [_row(pair, number) for pair, number in dice.shuffled(pairs)[:size]]


def _row(pair: Pair, family: int) -> dict[str, Any]:
    premise, hypothesis = grammar.to_tree(pair.premise), grammar.to_tree(pair.hypothesis)
    return {
        "gold_label": pair.label,
        "sentence1_binary_parse": grammar.to_binary_brackets(premise),
        "sentence2_binary_parse": grammar.to_binary_brackets(hypothesis),
        "sentence1": grammar.to_text(premise),
        "sentence2": grammar.to_text(hypothesis),
        "captionID": str(family),
    }
