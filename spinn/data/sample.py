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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from spinn.data import sample_grammar as grammar
from spinn.data import sample_lexicon as lexicon
from spinn.data.dice import Dice
from spinn.data.generated import write_generated
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
    MOST_CLAUSES,
    NEUTRAL,
    World,
    relate,
    state,
)
from spinn.errors import ConfigurationError

SEED = 20160315
# Drawn in this order: the short splits do not depend on the long one.
SIZES: Mapping[str, int] = {"test": 1_000, "dev": 1_000, "train": 10_000}

# Sentences. All of a family draw on one scene, a handful of words that have to do with each other,
# for otherwise hardly any pair would be anything but neutral.


@dataclass(frozen=True)
class Scene:
    """The words that the sentences of one family may use."""

    nouns: list[str]
    adjectives: list[str]
    contents: list[Content]
    places: list[Place]


# As often as they stand here; families with universal ones are found more often by themselves.
QUANTIFIER_URN = (
    *("every", "all", "not every", "not all", "no"),
    *("some", "some", "a", "a", "most", "at least two", "exactly one"),
)


def draw_scene(dice: Dice) -> Scene:
    """Draw a few words, and for most of them a word related in meaning."""
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
    return Scene(nouns, adjectives, contents, places)


def _relative_content(content: Content, dice: Dice) -> Content:
    """Change a content into one that is above it, below it or exclusive with it, where it can."""
    thing = content.object
    if thing is None:
        related = lexicon.relatives(content.head or "")
        return replace(content, head=dice.choice(related)) if related else content
    if thing.adjective is not None and dice.chance(0.5):
        return replace(content, object=replace(thing, adjective=None))
    return replace(content, object=replace(thing, noun=dice.choice(lexicon.relatives(thing.noun))))


def draw_sentence(scene: Scene, dice: Dice) -> Sentence:
    """Draw a syntax tree from a scene; it need not be good English yet."""
    if dice.chance(0.06):
        return Coordinated(_connective(dice), _clause(scene, dice), _clause(scene, dice))
    return _clause(scene, dice)


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


# Where sentences are altered, as often as the kind stands here: mostly where much depends on it.
ALTERATION_URN = (
    *("relative", "relative", "relative", "negation", "negation", "quantifier", "quantifier"),
    *("noun", "content", "adjective", "place", "thing", "connective"),
)


def alter(sentence: Sentence, scene: Scene, dice: Dice) -> Sentence:
    """Change a sentence in up to three places; the result need not be good English yet."""
    for _ in range(1 + dice.below(3)):
        if isinstance(sentence, Coordinated) and dice.chance(0.7):
            sentence = dice.choice((sentence.left, sentence.right))
        kind = dice.choice(ALTERATION_URN)
        values = grammar.fillers(sentence, kind)
        if values:
            place = dice.below(len(values))
            values[place] = _alternative(kind, values[place], scene, dice)
            sentence = grammar.refill(sentence, kind, iter(values))
    return sentence


def _alternative(kind: str, value: Any, scene: Scene, dice: Dice) -> Any:
    """Draw another filler for a slot: a related word, or nothing for an optional one."""
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
        Kind(Shared.PREMISE, LABELS): 2,
        Kind(Shared.TOPIC, LABELS): 3,
        Kind(Shared.HYPOTHESIS, (ENTAILMENT, NEUTRAL)): 2,
        Kind(Shared.HYPOTHESIS, (NEUTRAL, CONTRADICTION)): 2,
        Kind(Shared.PREMISE, (ENTAILMENT, CONTRADICTION)): 2,
    }
)
LONGEST = 20  # words, not counting the full stop


class Pair(NamedTuple):
    """A premise, a hypothesis and how they relate."""

    premise: Sentence
    hypothesis: Sentence
    label: str | None


Family = list[Pair]


def families_for(size: int) -> Counter[Kind]:
    """Count the families of each kind that give ``size`` pairs or a few more."""
    rounds = -(-size // sum(len(kind.labels) * count for kind, count in ROUND.items()))
    return Counter({kind: count * rounds for kind, count in ROUND.items()})


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


def _draw_groups(scene: Scene, dice: Dice) -> Iterator[tuple[Shared, Sequence[Sequence[Pair]]]]:
    """Draw pairs from a scene: rearrangements of one sentence against other sentences.

    Yields, for each sort of family, groups of pairs from which one can be chosen.
    """
    sentence = draw_sentence(scene, dice)
    if not _is_fit(sentence) or not _has_contrast(sentence):
        return
    variants = rearrangements(sentence, dice, attempts=30)
    if len(variants) < 2:
        return
    others = [alter(dice.choice(variants), scene, dice) for _ in range(12)]
    others = [other for other in dict.fromkeys(others) if _is_fit(other)]
    world = World([*variants, *others])
    yield Shared.HYPOTHESIS, list(zip(*_relate(variants, others, world), strict=True))
    by_premise = _relate(others, variants, world)
    yield Shared.PREMISE, by_premise
    yield Shared.TOPIC, list(zip(*by_premise, strict=True))


def _is_fit(sentence: Sentence) -> bool:
    return grammar.is_english(sentence) and len(grammar.words(sentence)) <= LONGEST


def _has_contrast(sentence: Sentence) -> bool:
    """Tell whether there is both something negative, which could wander, and something positive."""
    negations = grammar.fillers(sentence, "negation")
    quantifiers = grammar.fillers(sentence, "quantifier")
    return not all(negations) and (
        any(negations) or any(q in lexicon.NEGATIVE_QUANTIFIERS for q in quantifiers)
    )


def _relate(
    premises: Sequence[Sentence], hypotheses: Sequence[Sentence], world: World
) -> list[list[Pair]]:
    """Label all pairs, one list for each premise; pairs that make no sense have no label."""
    read_premises = [(p, state(p, world)) for p in premises]
    read_hypotheses = [(h, state(h, world, MOST_CLAUSES)) for h in hypotheses]
    return [
        [
            Pair(premise, hypothesis, relate(first, second, world))
            for hypothesis, second in read_hypotheses
            if second.is_informative
        ]
        for premise, first in read_premises
        if first.is_informative
    ]


def _choose_family(
    groups: Sequence[Sequence[Pair]], kinds: Sequence[Kind], used: set[Sentence], dice: Dice
) -> Family | None:
    """Choose a family of one of the kinds from one of the groups, if there is any."""
    families = []
    for group in groups:
        by_label: dict[str | None, list[Pair]] = {}
        for pair in group:
            if pair.premise != pair.hypothesis and pair.premise not in used:
                by_label.setdefault(pair.label, []).append(pair)
        families += [
            [dice.choice(by_label[label]) for label in kind.labels]
            for kind in kinds
            if by_label.keys() >= set(kind.labels)
        ]
    return dice.choice(families) if families else None


# Files.


def draw_rows(
    seed: int = SEED, sizes: Mapping[str, int] = SIZES
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Draw a corpus, one split after the other.

    No premise of a split occurs as a premise in another one.

    Parameters
    ----------
    seed
        Equal seeds and sizes give equal corpora.
    sizes
        The splits and how many pairs each has.

    Yields
    ------
    The name of the split, and one pair in SNLI's fields.

    Raises
    ------
    ConfigurationError
        If a size is negative.

    """
    for split, size in sizes.items():
        if size < 0:
            raise ConfigurationError(f"{split} cannot have {size} pairs. Give 0 or more.")
    dice = Dice(seed)
    used: set[Sentence] = set()
    for split, size in sizes.items():
        pairs = [
            (pair, f"{split}-{number}", member)
            for number, family in enumerate(draw_families(families_for(size), used, dice))
            for member, pair in enumerate(family)
        ]
        for pair, family, member in dice.shuffled(pairs)[:size]:
            yield split, _row(pair, family, member)


def _row(pair: Pair, family: str, member: int) -> dict[str, Any]:
    return {
        "gold_label": pair.label,
        "sentence1": grammar.to_text(pair.premise),
        "sentence2": grammar.to_text(pair.hypothesis),
        "sentence1_binary_parse": grammar.to_binary_brackets(pair.premise),
        "sentence2_binary_parse": grammar.to_binary_brackets(pair.hypothesis),
        "annotator_labels": [pair.label],
        "captionID": family,
        "pairID": f"{family}.{member}",
    }


def generate(directory: Path, seed: int = SEED, sizes: Mapping[str, int] = SIZES) -> None:
    """Write a corpus as ``SPLIT.jsonl`` files, which takes a minute or two for the usual sizes.

    Parameters
    ----------
    directory
        Where to write; it is made if need be, and files of these names in it are replaced.
    seed, sizes
        As for :func:`draw_rows`.

    Raises
    ------
    ConfigurationError
        If a size is negative.
    DataError
        If the files cannot be written.

    """
    lines: dict[str, list[str]] = {split: [] for split in sizes}
    for split, row in draw_rows(seed, sizes):
        lines[split].append(json.dumps(row) + "\n")
    files = {f"{split}.jsonl": "".join(text) for split, text in lines.items()}
    write_generated(directory, "sample", seed, sizes, files)
