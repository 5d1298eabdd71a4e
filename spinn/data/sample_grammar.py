"""The English of the sample corpus: its sentences, and how they are written with trees.

A sentence is a small syntax tree of frozen dataclasses (:class:`Clause`, :class:`NounPhrase`,
:class:`Predicate` ...) over the words of ``sample_lexicon``. This module says which syntax trees
are good English, writes them as labelled and as binary trees, and exchanges fillers between slots
of one kind, which is how the corpus finds sentences of the same words and another meaning. What
sentences mean is the subject of ``sample_semantics``; which make pairs is that of ``sample``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Union

from spinn.data.sample_lexicon import (
    ACTIVITIES,
    ANIMAL_COLOURS,
    HANDLING,
    IRREGULAR_PLURALS,
    NATURAL_THINGS,
    NEGATIVE_QUANTIFIERS,
    PEOPLE,
    PLACES,
    PRIVATIVE,
    QUANTIFIERS,
    SPEECH,
    STATES,
    STATIVES,
    THING_ADJECTIVES,
    THINGS,
    Quantifier,
)

# Syntax.

Part = TypeVar("Part")


@dataclass(frozen=True)
class Coordinated(Generic[Part]):
    """Two clauses, noun phrases or predicates joined by ``and`` or ``or``."""

    connective: str
    left: Part
    right: Part


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
    """What a predicate says: an adjective, an activity, a state, or a place alone.

    ``head`` is an adjective or a verb, with ``object`` if the verb takes one; an activity without
    an object may have a place, and where there is no head the place is all that is said.
    """

    head: str | None = None
    object: Thing | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Predicate:
    """A content, affirmed or denied."""

    content: Content
    negated: bool = False


VerbPhrase = Union[Predicate, Coordinated[Predicate]]


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
    """A subject, or two joined, and what is said of it."""

    subject: NounPhrase | Coordinated[NounPhrase]
    predicate: VerbPhrase


Sentence = Union[Clause, Coordinated[Clause]]


# Slots. Sentences with the same words and another meaning come from exchanging what fills slots of
# one kind; None fills an optional slot, so that modifiers and the negation can wander, too.

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
    """List what fills the slots of one kind, from left to right."""
    found: list[Any] = []
    slots = SLOT_KINDS[type(node)]
    for name, value in vars(node).items():
        if slots.get(name) == kind:
            found.append(value)
        elif type(value) in SLOT_KINDS:
            found += fillers(value, kind)
    return found


def refill(node: Part, kind: str, values: Iterator[Any]) -> Part:
    """Fill the slots of one kind anew, taking the values in the order of :func:`fillers`."""
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
    """Visit a syntax tree: the node itself, then all below it."""
    yield node
    for value in vars(node).values():
        if type(value) in SLOT_KINDS:
            yield from nodes(value)


# Good English.


def is_english(sentence: Sentence) -> bool:
    """Tell whether a syntax tree is a sentence with one reading that people might say.

    Words go together (people are not brown, only what grows is called fake), no phrase could attach
    in two places, nothing is denied twice and nothing is said twice in a clause.
    """
    subjects = [subject for clause in parts(sentence) for subject in parts(clause.subject)]
    return (
        len(subjects) <= 2
        and sum(subject.quantifier == "most" for subject in subjects) <= 1
        and all(_is_sensible(node) for node in nodes(sentence))
        and not any(_repeats(clause) for clause in parts(sentence))
    )


def parts(node: Part | Coordinated[Part]) -> list[Part]:
    """List the two coordinated parts, or the node alone."""
    return [node.left, node.right] if isinstance(node, Coordinated) else [node]


def _is_sensible(node: Any) -> bool:
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
        # "a dog near a tree that is wet": the tree might be what is wet
        attaches_once = node.place is None or node.relative is None
        return (node.adjective is None or node.adjective in adjectives) and attaches_once
    if isinstance(node, Clause) and isinstance(node.subject, Coordinated):
        return all(
            subject.quantifier not in NEGATIVE_QUANTIFIERS for subject in parts(node.subject)
        )
    return True


def _is_sensible_content(content: Content) -> bool:
    if content.head in THING_ADJECTIVES and content.head not in STATES + ANIMAL_COLOURS:
        return False
    if content.object is not None:
        return content.place is None and content.object.noun in THINGS
    if content.place is None:
        return content.head is not None
    return content.head is None or content.head in ACTIVITIES + SPEECH


def _repeats(clause: Clause) -> bool:
    """Tell whether a clause uses a content word twice."""
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


# Writing. A labelled tree is (label, child, ...), and a word is (part of speech, word).

Tree = tuple[Any, ...]


def to_tree(sentence: Sentence) -> Tree:
    """Write a sentence as a labelled constituency tree whose leaves are words."""
    clauses = [_clause(clause) for clause in parts(sentence)]
    if isinstance(sentence, Coordinated):
        return ("ROOT", ("S", clauses[0], ("CC", sentence.connective), clauses[1], (".", ".")))
    return ("ROOT", (*clauses[0], (".", ".")))


def words(sentence: Sentence) -> list[str]:
    """List the words of a sentence, the full stop last."""
    return leaves(to_tree(sentence))


def bag(sentence: Sentence) -> tuple[tuple[str, int], ...]:
    """Count the words of a sentence: what is left when their order is lost."""
    return tuple(sorted(Counter(words(sentence)).items()))


def leaves(tree: Tree) -> list[str]:
    """List the words of a labelled tree."""
    if isinstance(tree[1], str):
        return [tree[1]]
    return [word for child in tree[1:] for word in leaves(child)]


def to_text(tree: Tree) -> str:
    """Write the sentence as plain text, in lower case: the full stop touches the last word."""
    return " ".join(leaves(tree)).removesuffix(" .") + "."


def to_labelled_brackets(tree: Tree) -> str:
    """Write a labelled tree in treebank form: ``(NP (DT a) (NN dog))``."""
    children = (child if isinstance(child, str) else to_labelled_brackets(child) for child in tree)
    return f"({' '.join(children)})"


def to_binary_brackets(tree: Tree) -> str:
    """Write a labelled tree as a binary one, in SNLI's form: ``( ( ( a dog ) runs ) . )``.

    Nodes of three children and more branch to the right, but a final full stop is attached last.
    """
    if isinstance(tree[1], str):
        return tree[1]
    children = [to_binary_brackets(child) for child in tree[1:]]
    stop = [children.pop()] if children[-1] == "." else []
    result = children.pop()
    while children:
        result = f"( {children.pop()} {result} )"
    return f"( {result} . )" if stop else result


def _clause(clause: Clause) -> Tree:
    subjects = parts(clause.subject)
    phrases = [_noun_phrase(subject) for subject in subjects]
    plural = QUANTIFIERS[subjects[-1].quantifier].plural  # after "or", the nearer one decides
    if not isinstance(clause.subject, Coordinated):
        return ("S", phrases[0], _verb_phrase(clause.predicate, plural))
    connective = clause.subject.connective
    subject = ("NP", phrases[0], ("CC", connective), phrases[1])
    return ("S", subject, _verb_phrase(clause.predicate, plural or connective == "and"))


def _noun_phrase(phrase: NounPhrase) -> Tree:
    quantifier = QUANTIFIERS[phrase.quantifier]
    if quantifier.plural:
        noun: Tree = ("NNS", IRREGULAR_PLURALS.get(phrase.noun, phrase.noun + "s"))
    else:
        noun = ("NN", phrase.noun)
    nominal = noun if phrase.adjective is None else ("NX", ("JJ", phrase.adjective), noun)
    if phrase.place is not None:
        nominal = ("NX", nominal, _place(phrase.place))
    if phrase.relative is not None:
        relative = ("SBAR", ("WDT", "that"), _verb_phrase(phrase.relative, quantifier.plural))
        nominal = ("NX", nominal, relative)
    return ("NP", _determiner(quantifier, nominal), nominal)


def _determiner(quantifier: Quantifier, following: Tree) -> Tree:
    if quantifier.words == ("a",):
        return ("DT", "an" if leaves(following)[0][0] in "aeiou" else "a")
    if len(quantifier.words) == 1:
        return ("DT", quantifier.words[0])
    if quantifier.words[0] == "at":
        return ("QP", ("ADVP", ("IN", "at"), ("JJS", "least")), ("CD", "two"))
    first, second = quantifier.words
    return ("QP", ("RB", first), ("CD" if second == "one" else "DT", second))


def _thing(thing: Thing) -> Tree:
    noun: Tree = ("NN", thing.noun)
    nominal = noun if thing.adjective is None else ("NX", ("JJ", thing.adjective), noun)
    return ("NP", _determiner(QUANTIFIERS[thing.determiner], nominal), nominal)


def _place(place: Place) -> Tree:
    return ("PP", ("IN", place.preposition), _thing(place.thing))


def _verb_phrase(phrase: VerbPhrase, plural: bool) -> Tree:
    if not isinstance(phrase, Coordinated):
        return _predicate(phrase, plural)
    left, right = phrase.left, phrase.right
    connective = ("CC", phrase.connective)
    if any(part.negated or part.content.head in STATIVES for part in (left, right)):
        return ("VP", _predicate(left, plural), connective, _predicate(right, plural))
    # "is wet and running" rather than "is wet and is running"
    joined = ("UCP", _content(left.content), connective, _content(right.content))
    return ("VP", _copula(plural), joined)


def _predicate(predicate: Predicate, plural: bool) -> Tree:
    content = predicate.content
    if content.head in STATIVES and content.object is not None:
        thing = _thing(content.object)
        if not predicate.negated:
            form = ("VBP", content.head) if plural else ("VBZ", STATIVES[content.head])
            return ("VP", form, thing)
        auxiliary = ("VBP", "do") if plural else ("VBZ", "does")
        return ("VP", auxiliary, ("RB", "not"), ("VP", ("VB", content.head), thing))
    negation = (("RB", "not"),) if predicate.negated else ()
    return ("VP", _copula(plural), *negation, _content(content))


def _copula(plural: bool) -> Tree:
    return ("VBP", "are") if plural else ("VBZ", "is")


def _content(content: Content) -> Tree:
    if content.head is None:
        assert content.place is not None
        return _place(content.place)
    if content.head in STATES + ANIMAL_COLOURS:
        return ("ADJP", ("JJ", content.head))
    complement = _thing(content.object) if content.object is not None else None
    if content.place is not None:
        complement = _place(content.place)
    return ("VP", ("VBG", content.head), *(() if complement is None else (complement,)))
