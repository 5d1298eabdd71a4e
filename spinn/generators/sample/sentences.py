"""Random sentences of the sample corpus: scenes, rearrangements and alterations.

The sentences of a family use the words of one *scene*, which are related in meaning; otherwise
almost all pairs would be neutral.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from spinn.generators.dice import Dice
from spinn.generators.sample import grammar, lexicon
from spinn.generators.sample.grammar import (
    Clause,
    Content,
    Coordinated,
    NounPhrase,
    Part,
    Place,
    Predicate,
    Sentence,
    Thing,
    VerbPhrase,
    is_english,
)


@dataclass(frozen=True)
class Scene:
    """The words that the sentences of one family may use.

    A coordination has up to ``most_parts`` parts; above 2, every sentence is a coordination.
    """

    nouns: list[str]
    adjectives: list[str]
    contents: list[Content]
    places: list[Place]
    most_parts: int = 2


# Quantifiers with their weights; families with universal ones are found more easily.
QUANTIFIER_URN = (
    *("every", "all", "not every", "not all", "no"),
    *("some", "some", "a", "a", "most", "at least two", "exactly one"),
)


def draw_scene(dice: Dice, most_parts: int = 2) -> Scene:
    """Draw a few words, most of them with a related word."""
    people = dice.chance(0.5)
    nouns = [dice.choice(lexicon.PEOPLE if people else lexicon.ANIMALS)]
    nouns.append(dice.choice(lexicon.relatives(nouns[0])))
    states = lexicon.STATES if people else lexicon.STATES + lexicon.ANIMAL_COLOURS
    adjectives = [dice.choice(states)]
    activities = lexicon.ACTIVITIES + (lexicon.HUMAN_ACTIVITIES if people else ())
    contents: list[Content] = []
    while len(contents) < 2:
        form = dice.below(5)
        if form < 2:
            content = Content(dice.choice(activities))
        elif form < 4:
            heads = (*lexicon.HANDLING, *lexicon.STATIVES) if people else ("holding", "see")
            adjective = dice.choice((*lexicon.THING_ADJECTIVES, lexicon.PRIVATIVE))
            thing = Thing(dice.choice(lexicon.THINGS), adjective if dice.chance(0.4) else None)
            content = Content(dice.choice(heads), object=thing)
        else:
            content = Content(dice.choice(states))
        contents.append(content)
    contents += [_relative_content(content, dice) for content in contents if dice.chance(0.6)]
    places = [Place(dice.choice(lexicon.PREPOSITIONS), Thing(dice.choice(lexicon.PLACES)))]
    if dice.chance(0.5):
        contents.append(Content(place=places[0]))
    return Scene(nouns, adjectives, contents, places, most_parts)


def _relative_content(content: Content, dice: Dice) -> Content:
    """Return a more general, more specific or exclusive content, or the same if there is none."""
    thing = content.object
    if thing is None:
        related = lexicon.relatives(content.head or "")
        return replace(content, head=dice.choice(related)) if related else content
    if thing.adjective is not None and dice.chance(0.5):
        return replace(content, object=replace(thing, adjective=None))
    return replace(content, object=replace(thing, noun=dice.choice(lexicon.relatives(thing.noun))))


def draw_sentence(scene: Scene, dice: Dice) -> Sentence:
    """Draw a syntax tree of the words of a scene; it may not be acceptable English."""
    if scene.most_parts > 2 or dice.chance(0.06):
        return _coordinated(_clause, scene, dice)
    return _clause(scene, dice)


def _coordinated(
    draw: Callable[[Scene, Dice], Part], scene: Scene, dice: Dice
) -> Coordinated[Part]:
    """Draw two parts, or up to ``most_parts``, with one connective."""
    connective = _connective(dice)
    count = 2 if scene.most_parts == 2 else 2 + dice.below(scene.most_parts - 1)
    *others, left, right = [draw(scene, dice) for _ in range(count)]
    result = Coordinated(connective, left, right)
    for other in reversed(others):
        result = Coordinated(connective, other, result)
    return result


def _clause(scene: Scene, dice: Dice) -> Clause:
    first = _noun_phrase(scene, dice)
    if dice.chance(0.06):
        subjects = Coordinated("and", first, _noun_phrase(scene, dice))
        return Clause(subjects, _verb_phrase(scene, dice))
    return Clause(first, _verb_phrase(scene, dice))


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
        return _coordinated(_predicate, scene, dice)
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


def rearrangements(
    sentence: Sentence,
    dice: Dice,
    attempts: int,
    is_fit: Callable[[Sentence], bool] = is_english,
) -> list[Sentence]:
    """Draw fit sentences with the same words in another order, after the sentence itself."""
    words = grammar.bag(sentence)
    kinds = [kind for kind in grammar.KINDS if len(set(grammar.fillers(sentence, kind))) > 1]
    found = [sentence]
    for _ in range(attempts if kinds else 0):
        other = dice.choice(found)
        for _ in range(1 + dice.below(2)):
            kind = dice.choice(kinds)
            other = grammar.refill(other, kind, iter(dice.shuffled(grammar.fillers(other, kind))))
        if other not in found and is_fit(other) and grammar.bag(other) == words:
            found.append(other)
    return found


# Kinds of slots to alter, with their weights.
ALTERATION_URN = (
    *("relative", "relative", "relative", "negation", "negation", "quantifier", "quantifier"),
    *("noun", "content", "adjective", "place", "thing", "connective"),
)


def alter(sentence: Sentence, scene: Scene, dice: Dice) -> Sentence:
    """Change a sentence in one to three places; the result may not be acceptable English."""
    for _ in range(1 + dice.below(3)):
        shortened = 0.7 if scene.most_parts == 2 else 0.1  # long sentences are to stay long
        if isinstance(sentence, Coordinated) and dice.chance(shortened):
            sentence = dice.choice((sentence.left, sentence.right))
        kind = dice.choice(ALTERATION_URN)
        values = grammar.fillers(sentence, kind)
        if values:
            place = dice.below(len(values))
            values[place] = _alternative(kind, values[place], scene, dice)
            sentence = grammar.refill(sentence, kind, iter(values))
    return sentence


def _alternative(kind: str, value: Any, scene: Scene, dice: Dice) -> Any:
    """Draw another filler for a slot: a related word, or ``None`` for an optional slot."""
    if kind in ("noun", "thing"):
        return dice.choice(lexicon.relatives(value) or [value])
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
