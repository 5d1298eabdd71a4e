"""The pairs of the sample corpus: families of sentence pairs with labels derived from meaning.

A *family* is two or three pairs with different labels. In most families the premises or the
hypotheses are rearrangements of each other, that is, the same words in another order. The label
therefore depends on composition: bags of words give little information, and the hypothesis alone
almost none. ``grammar`` defines the language and ``semantics`` computes the labels; this module
draws families and writes them in SNLI's format. The output depends on the seed only, not on the
machine or the version of Python.

The set ``test-longer`` tests generalisation: its sentences are longer and deeper than any of
training, by coordinations of up to four parts instead of two. The rules and words are the same.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from spinn.generators.dice import Dice
from spinn.generators.sample import grammar, lexicon
from spinn.generators.sample.grammar import Sentence
from spinn.generators.sample.semantics import (
    CONTRADICTION,
    ENTAILMENT,
    MOST_CLAUSES,
    NEUTRAL,
    World,
    relate,
    state,
)
from spinn.generators.sample.sentences import (
    Scene,
    alter,
    draw_scene,
    draw_sentence,
    rearrangements,
)
from spinn.generators.writing import write_generated
from spinn.support.errors import ConfigurationError

SEED = 20160315
LONGER = "test-longer"  # the set of sentences that are longer and deeper than those of training
# Splits are drawn in this order, so the short ones do not depend on the size of the long one.
SIZES: Mapping[str, int] = {"test": 1_000, "dev": 1_000, "train": 10_000, LONGER: 1_000}


class Shared(Enum):
    """What the pairs of a family have in common and how they differ."""

    PREMISE = "one premise; the hypotheses are rearrangements of one another"
    HYPOTHESIS = "one hypothesis; the premises are rearrangements of one another"
    TOPIC = "one hypothesis; the premises are about the same things"


class Kind(NamedTuple):
    """A kind of family: what its pairs share, and their labels."""

    shared: Shared
    labels: tuple[str, ...]


# Proportions of the kinds of families; they balance the labels for each value of Shared.
_ALL_LABELS = (ENTAILMENT, NEUTRAL, CONTRADICTION)
ROUND = Counter(
    {
        Kind(Shared.PREMISE, _ALL_LABELS): 2,
        Kind(Shared.TOPIC, _ALL_LABELS): 3,
        Kind(Shared.HYPOTHESIS, (ENTAILMENT, NEUTRAL)): 2,
        Kind(Shared.HYPOTHESIS, (NEUTRAL, CONTRADICTION)): 2,
        Kind(Shared.PREMISE, (ENTAILMENT, CONTRADICTION)): 2,
    }
)


class Limits(NamedTuple):
    """Which sentences a set may have.

    Attributes
    ----------
    shortest, longest
        Numbers of words, without the full stop.
    shallowest, deepest
        Depths; see :func:`spinn.generators.sample.grammar.depth`.
    parts
        Most parts of a coordination, and most quantified subjects of a sentence.

    """

    shortest: int
    longest: int
    shallowest: int
    deepest: float
    parts: int

    def allow(self, sentence: Sentence) -> bool:
        """Return whether a sentence is acceptable English and within the limits but the deepest."""
        return (
            grammar.is_english(sentence, self.parts)
            and self.shortest <= len(grammar.words(sentence)) <= self.longest
            and self.shallowest <= grammar.depth(sentence)
        )


SHORT = Limits(shortest=1, longest=20, shallowest=1, deepest=12, parts=2)
LONG = Limits(shortest=21, longest=40, shallowest=13, deepest=math.inf, parts=MOST_CLAUSES)


class Pair(NamedTuple):
    """A premise, a hypothesis and their label (``None`` if undefined)."""

    premise: Sentence
    hypothesis: Sentence
    label: str | None


Family = list[Pair]


def families_for(size: int) -> Counter[Kind]:
    """Return numbers of families of each kind that give at least ``size`` pairs."""
    rounds = -(-size // sum(len(kind.labels) * count for kind, count in ROUND.items()))
    return Counter({kind: count * rounds for kind, count in ROUND.items()})


def draw_families(
    counts: Counter[Kind], used: set[Sentence], dice: Dice, limits: Limits = SHORT
) -> Iterator[Family]:
    """Draw families of each kind.

    ``used`` contains premises to avoid; those of the new families are added, so that no sentence is
    the premise of two families.
    """
    missing = +counts
    while missing:
        scene = draw_scene(dice, limits.parts)
        for shared, groups in _draw_groups(scene, dice, limits):
            kinds = [kind for kind in missing if kind.shared is shared]
            family = _choose_family(groups, kinds, used, dice)
            # The greatest depth is checked last: earlier, it would change what is drawn after.
            if family is not None and not _is_deeper(family, limits.deepest):
                labels = {pair.label for pair in family}
                kind = next(kind for kind in kinds if set(kind.labels) == labels)
                missing = missing - Counter([kind])
                used.update(pair.premise for pair in family)
                yield family


def _draw_groups(
    scene: Scene, dice: Dice, limits: Limits
) -> Iterator[tuple[Shared, Sequence[Sequence[Pair]]]]:
    """Pair the rearrangements of one sentence with other sentences of the same scene.

    Yields
    ------
    A value of :class:`Shared`, and groups of pairs from each of which a family can be chosen.

    """
    sentence = draw_sentence(scene, dice)
    if not limits.allow(sentence) or not _has_contrast(sentence):
        return
    variants = rearrangements(sentence, dice, attempts=30, is_fit=limits.allow)
    if len(variants) < 2:
        return
    others = [alter(dice.choice(variants), scene, dice) for _ in range(12)]
    others = [other for other in dict.fromkeys(others) if limits.allow(other)]
    world = World([*variants, *others])
    yield Shared.HYPOTHESIS, list(zip(*_relate(variants, others, world), strict=True))
    by_premise = _relate(others, variants, world)
    yield Shared.PREMISE, by_premise
    yield Shared.TOPIC, list(zip(*by_premise, strict=True))


def _is_deeper(family: Family, limit: float) -> bool:
    """Return whether a family has a sentence of more than the given depth."""
    return any(grammar.depth(sentence) > limit for pair in family for sentence in pair[:2])


def _has_contrast(sentence: Sentence) -> bool:
    """Return whether a sentence has both a negation, which can move, and a positive predicate."""
    negations = grammar.fillers(sentence, "negation")
    quantifiers = grammar.fillers(sentence, "quantifier")
    return not all(negations) and (
        any(negations) or any(q in lexicon.NEGATIVE_QUANTIFIERS for q in quantifiers)
    )


def _relate(
    premises: Sequence[Sentence], hypotheses: Sequence[Sentence], world: World
) -> list[list[Pair]]:
    """Label all pairs, one list for each premise."""
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
    """Choose a family of one of the kinds from one of the groups; ``None`` if there is none."""
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
    """Draw a corpus, one split after the other; no two splits share a premise.

    The set of longer sentences is drawn by itself and does not depend on the other sizes.

    Yields
    ------
    The name of the split, and a pair with SNLI's fields.

    Raises
    ------
    ConfigurationError
        If a size is negative.

    """
    for split, size in sizes.items():
        if size < 0:
            raise ConfigurationError(f"{split} cannot have {size} pairs. Give 0 or more.")
    short = Dice(seed)
    used: set[Sentence] = set()
    for split, size in sizes.items():
        limits, dice = (LONG, Dice(seed + 1)) if split == LONGER else (SHORT, short)
        families = draw_families(families_for(size), used, dice, limits)
        pairs = [
            (pair, f"{split}-{number}", member)
            for number, family in enumerate(families)
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
    """Write a corpus as ``SPLIT.jsonl`` files (a few minutes for the default sizes).

    Arguments and errors are those of :func:`draw_rows` and :func:`write_generated`.
    """
    lines: dict[str, list[str]] = {split: [] for split in sizes}
    for split, row in draw_rows(seed, sizes):
        lines[split].append(json.dumps(row) + "\n")
    files = {f"{split}.jsonl": "".join(text) for split, text in lines.items()}
    write_generated(directory, "sample", seed, sizes, files)
