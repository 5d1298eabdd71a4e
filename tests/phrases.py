"""Phrases that the tests of the sample corpus build sentences of."""

from __future__ import annotations

import dataclasses
from typing import Any

from spinn.generators.sample.grammar import (
    Clause,
    Content,
    Coordinated,
    NounPhrase,
    Place,
    Predicate,
    Thing,
)

WET, DRY = Predicate(Content("wet")), Predicate(Content("dry"))
RUNNING, MOVING = Predicate(Content("running")), Predicate(Content("moving"))
BALL = Predicate(Content("holding", Thing("ball", "red")))
TOY = Predicate(Content("holding", Thing("toy")))
NO_TOY = Predicate(Content("holding", Thing("toy", None, "no")))
FAKE_ROSE = Predicate(Content("holding", Thing("rose", "fake")))
ROSE, FLOWER = (Predicate(Content("holding", Thing(noun))) for noun in ("rose", "flower"))
NEAR, BESIDE = (Place(word, Thing("tree")) for word in ("near", "beside"))


def deny(predicate: Predicate) -> Predicate:
    return dataclasses.replace(predicate, negated=True)


def both(left: Any, right: Any) -> Coordinated[Any]:
    return Coordinated("and", left, right)


def either(left: Any, right: Any) -> Coordinated[Any]:
    return Coordinated("or", left, right)


def say(quantifier: str, noun: str, predicate: Any, **modifiers: Any) -> Clause:
    return Clause(NounPhrase(quantifier, noun, **modifiers), predicate)


def running(place: Place) -> Predicate:
    return Predicate(Content("running", place=place))
