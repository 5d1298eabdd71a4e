"""The grammar of the sample corpus: syntax trees, well-formedness, and realisation as text.

A sentence is a syntax tree of frozen dataclasses (:class:`Clause`, :class:`NounPhrase`,
:class:`Predicate`, ...) over the words of ``lexicon``. This module checks whether a tree is
acceptable English, writes it as text and as a binary tree, and exchanges fillers between slots of
the same kind, which yields sentences with the same words and another meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Generic, TypeAlias, TypeVar

from spinn.generators.sample.lexicon import (
    ACTIVITIES,
    ANIMAL_COLOURS,
    HANDLING,
    HUMAN_ACTIVITIES,
    IRREGULAR_PLURALS,
    NATURAL_THINGS,
    NEGATIVE_QUANTIFIERS,
    PEOPLE,
    PLACES,
    PRIVATIVE,
    QUANTIFIERS,
    STATES,
    STATIVES,
    THING_ADJECTIVES,
    THINGS,
)

# Syntax.

Part = TypeVar("Part")


@dataclass(frozen=True)
class Coordinated(Generic[Part]):
    """Clauses, noun phrases or predicates joined by ``and`` or ``or``.

    Of three or more parts, the right one is again a coordination, with the same connective.
    """

    connective: str
    left: Part
    right: Part | Coordinated[Part]


@dataclass(frozen=True)
class Thing:
    """An object: ``a ball``, ``no red ball``."""

    noun: str
    adjective: str | None = None
    determiner: str = "a"


@dataclass(frozen=True)
class Place:
    """A prepositional phrase: ``near a tree``."""

    preposition: str
    thing: Thing


@dataclass(frozen=True)
class Content:
    """The content of a predicate: an adjective, an activity, a state, or a place alone.

    ``head`` is an adjective or a verb, ``object`` the object of a transitive verb. An activity
    without an object may have a ``place``; without a head, the place is the whole content.
    """

    head: str | None = None
    object: Thing | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Predicate:
    """A content, affirmed or negated."""

    content: Content
    negated: bool = False


VerbPhrase: TypeAlias = Predicate | Coordinated[Predicate]


@dataclass(frozen=True)
class NounPhrase:
    """A quantified subject: ``every wet dog that is not running``."""

    quantifier: str
    noun: str
    adjective: str | None = None
    place: Place | None = None
    relative: VerbPhrase | None = None


@dataclass(frozen=True)
class Clause:
    """A subject, or two coordinated ones, and a predicate."""

    subject: NounPhrase | Coordinated[NounPhrase]
    predicate: VerbPhrase


Sentence: TypeAlias = Clause | Coordinated[Clause]


# Slots. Exchanging the fillers of slots of one kind gives sentences with the same words and another
# meaning. None fills an empty optional slot, so modifiers and the negation can move as well.

SLOT_KINDS: Mapping[type, Mapping[str, str]] = {
    Coordinated: {"connective": "connective"},
    Thing: {"noun": "thing", "adjective": "adjective", "determiner": "quantifier"},
    Content: {"place": "place"},
    Predicate: {"content": "content", "negated": "negation"},
    NounPhrase: {
        "quantifier": "quantifier",
        "noun": "noun",
        "adjective": "adjective",
        "place": "place",
        "relative": "relative",
    },
    Place: {},
    Clause: {},
}
KINDS = sorted({kind for slots in SLOT_KINDS.values() for kind in slots.values()})


def fillers(node: Any, kind: str) -> list[Any]:
    """Return the fillers of all slots of one kind, from left to right."""
    found: list[Any] = []
    slots = SLOT_KINDS[type(node)]
    for name, value in vars(node).items():
        if slots.get(name) == kind:
            found.append(value)
        elif type(value) in SLOT_KINDS:
            found += fillers(value, kind)
    return found


def refill(node: Part, kind: str, values: Iterator[Any]) -> Part:
    """Replace the fillers of one kind by ``values``, in the order of :func:`fillers`."""
    slots = SLOT_KINDS[type(node)]
    filled = []
    for name, value in vars(node).items():
        if slots.get(name) == kind:
            filled.append(next(values))
        elif type(value) in SLOT_KINDS:
            filled.append(refill(value, kind, values))
        else:
            filled.append(value)
    return type(node)(*filled)


def nodes(node: Any) -> Iterator[Any]:
    """Yield the nodes of a syntax tree in preorder."""
    yield node
    for value in vars(node).values():
        if type(value) in SLOT_KINDS:
            yield from nodes(value)


# Well-formedness.


def is_english(sentence: Sentence, most_subjects: int = 2) -> bool:
    """Return whether a syntax tree is an acceptable, unambiguous sentence.

    Words must be compatible (people are not brown, only natural things are fake), attachment must
    be unambiguous, nothing may be negated twice, and no content word may occur twice in a clause.
    The sentence may have ``most_subjects`` quantified subjects.
    """
    subjects = [subject for clause in parts(sentence) for subject in parts(clause.subject)]
    return (
        len(subjects) <= most_subjects
        and sum(subject.quantifier == "most" for subject in subjects) <= 1
        and all(_is_sensible(node) for node in nodes(sentence))
        and not any(_repeats(clause) for clause in parts(sentence))
    )


def parts(node: Part | Coordinated[Part]) -> list[Part]:
    """Return the coordinated parts from left to right, or the node alone."""
    return [node.left, *parts(node.right)] if isinstance(node, Coordinated) else [node]


def _is_sensible(node: Any) -> bool:
    if isinstance(node, Coordinated) and isinstance(node.right, Coordinated):
        return node.connective == node.right.connective  # "A and B or C" would be ambiguous
    if isinstance(node, Thing):
        if node.determiner not in ("a", "no"):
            return False
        if node.adjective == PRIVATIVE:
            return node.noun in NATURAL_THINGS
        return node.adjective is None or node.adjective in THING_ADJECTIVES
    if isinstance(node, Place):
        return node.thing.determiner == "a" and node.thing.noun in PLACES
    if isinstance(node, Content):
        return _is_sensible_content(node)
    if isinstance(node, Predicate):
        thing = node.content.object
        return not (node.negated and thing is not None and thing.determiner == "no")
    if isinstance(node, NounPhrase):
        adjectives = STATES if node.noun in PEOPLE else STATES + ANIMAL_COLOURS
        # "a dog near a tree that is wet" would be ambiguous
        attaches_once = node.place is None or node.relative is None
        return (node.adjective is None or node.adjective in adjectives) and attaches_once
    if isinstance(node, Clause) and isinstance(node.subject, Coordinated):
        subjects: list[NounPhrase] = parts(node.subject)
        negative = any(subject.quantifier in NEGATIVE_QUANTIFIERS for subject in subjects)
        return node.subject.connective == "and" and not negative
    return True


def _is_sensible_content(content: Content) -> bool:
    if content.head in THING_ADJECTIVES and content.head not in STATES + ANIMAL_COLOURS:
        return False
    if content.object is not None:
        return content.place is None and content.object.noun in THINGS
    if content.place is None:
        return content.head is not None
    return content.head is None or content.head in ACTIVITIES + HUMAN_ACTIVITIES


def _repeats(clause: Clause) -> bool:
    """Return whether a clause uses a content word twice."""
    words = [
        word
        for node in nodes(clause)
        for word in (
            *((node.head,) if isinstance(node, Content) else ()),
            *((node.noun,) if isinstance(node, NounPhrase) else ()),
            *((node.adjective,) if isinstance(node, NounPhrase | Thing) else ()),
        )
        if word is not None and word not in HANDLING and word not in STATIVES
    ]
    objects = [
        node
        for node in nodes(clause)
        if isinstance(node, Place) or (isinstance(node, Content) and node.object is not None)
    ]
    return len(set(words)) < len(words) or len(set(objects)) < len(objects)


# Realisation. A tree is a word or a tuple of trees.

Tree: TypeAlias = "str | tuple[Tree, ...]"


def to_tree(sentence: Sentence) -> Tree:
    """Return the constituency tree of a sentence, without the full stop."""
    return _coordination(sentence, _clause)


def words(sentence: Sentence) -> list[str]:
    """Return the words of a sentence, without the full stop."""
    return _leaves(to_tree(sentence))


def bag(sentence: Sentence) -> list[str]:
    """Return the sorted words of a sentence."""
    return sorted(words(sentence))


def to_text(sentence: Sentence) -> str:
    """Return a sentence as lower-case text, with a full stop."""
    return " ".join(words(sentence)) + "."


def to_binary_brackets(sentence: Sentence) -> str:
    """Return the binary tree in SNLI's notation: ``( ( ( a dog ) ( is wet ) ) . )``.

    Nodes with more than two children branch to the right; the full stop attaches to the root.
    """
    return f"( {_binary_brackets(to_tree(sentence))} . )"


def depth(sentence: Sentence) -> int:
    """Return the depth of a sentence: the brackets around the innermost word of its binary tree."""
    tokens = to_binary_brackets(sentence).split()
    return max(accumulate((token == "(") - (token == ")") for token in tokens))


def _binary_brackets(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    *children, result = (_binary_brackets(child) for child in tree)
    for child in reversed(children):
        result = f"( {child} {result} )"
    return result


def _leaves(tree: Tree) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [word for child in tree for word in _leaves(child)]


def _coordination(node: Part | Coordinated[Part], write: Callable[[Part], Tree]) -> Tree:
    if isinstance(node, Coordinated):
        return (write(node.left), node.connective, _coordination(node.right, write))
    return write(node)


def _clause(clause: Clause) -> Tree:
    subjects = parts(clause.subject)
    plural = len(subjects) > 1 or QUANTIFIERS[subjects[0].quantifier].plural
    subject = _coordination(clause.subject, _noun_phrase)
    return (subject, _verb_phrase(clause.predicate, plural))


def _noun_phrase(phrase: NounPhrase) -> Tree:
    quantifier = QUANTIFIERS[phrase.quantifier]
    nominal: Tree = phrase.noun
    if quantifier.plural:
        nominal = IRREGULAR_PLURALS.get(phrase.noun, phrase.noun + "s")
    if phrase.adjective is not None:
        nominal = (phrase.adjective, nominal)
    if phrase.place is not None:
        nominal = (nominal, _place(phrase.place))
    if phrase.relative is not None:
        nominal = (nominal, ("that", _verb_phrase(phrase.relative, quantifier.plural)))
    return (_determiner(phrase.quantifier, nominal), nominal)


def _determiner(quantifier: str, following: Tree) -> Tree:
    if quantifier == "a":
        return "an" if _leaves(following)[0][0] in "aeiou" else "a"
    *first, last = QUANTIFIERS[quantifier].words
    return (tuple(first), last) if first else last


def _thing(thing: Thing) -> Tree:
    nominal: Tree = thing.noun if thing.adjective is None else (thing.adjective, thing.noun)
    return (_determiner(thing.determiner, nominal), nominal)


def _place(place: Place) -> Tree:
    return (place.preposition, _thing(place.thing))


def _verb_phrase(phrase: VerbPhrase, plural: bool) -> Tree:
    if all(not part.negated and part.content.head not in STATIVES for part in parts(phrase)):
        # "is wet and running" rather than "is wet and is running"
        return (_copula(plural), _coordination(phrase, lambda part: _content(part.content)))
    return _coordination(phrase, lambda part: _predicate(part, plural))


def _predicate(predicate: Predicate, plural: bool) -> Tree:
    head, content = predicate.content.head, _content(predicate.content)
    if head in STATIVES and predicate.negated:
        return ("do" if plural else "does", "not", content)
    if head in STATIVES:
        return (head if plural else STATIVES[head], *content[1:])
    return (_copula(plural), "not", content) if predicate.negated else (_copula(plural), content)


def _copula(plural: bool) -> str:
    return "are" if plural else "is"


def _content(content: Content) -> Tree:
    complements: list[Tree] = []
    if content.object is not None:
        complements.append(_thing(content.object))
    if content.place is not None:
        complements.append(_place(content.place))
    tree = (*([] if content.head is None else [content.head]), *complements)
    return tree if len(tree) > 1 else tree[0]
