"""The lexicon of the sample corpus: words and the axioms about their meanings.

``grammar`` builds sentences of these words; ``semantics`` derives labels from the axioms.
"""

from __future__ import annotations

from dataclasses import dataclass

# A word implies its entry in IMPLIES; at most one word of each EXCLUSIVE set is true of an
# individual. Words with further relations are avoided: "sleep", for instance, would exclude
# running, talking and eating.

PEOPLE = ("person", "man", "woman", "child", "boy", "girl", "teacher", "student")
ANIMALS = ("animal", "dog", "puppy", "cat", "kitten", "bird", "duck")
IRREGULAR_PLURALS = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "puppy": "puppies",
}
ACTIVITIES = ("moving", "running", "walking", "eating", "playing")
HUMAN_ACTIVITIES = ("talking", "shouting", "whispering", "smiling")
STATES = ("happy", "sad", "wet", "dry", "clean", "dirty", "hungry", "tired")
ANIMAL_COLOURS = ("black", "white", "brown")
HANDLING = ("holding", "washing", "pulling")
STATIVES = {"own": "owns", "see": "sees"}  # verbs without a progressive: base form, third person
THINGS = (
    *("toy", "ball", "kite", "doll"),
    *("fruit", "apple", "orange", "pear"),
    *("flower", "rose", "tulip"),
)
PLACES = ("tree", "house", "bench", "vehicle", "car", "bus")
THING_ADJECTIVES = ("wet", "dry", "clean", "dirty", "red", "blue", "black", "white")
PRIVATIVE = "fake"  # a fake rose is not a rose
NATURAL_THINGS = ("fruit", "apple", "orange", "pear", "flower", "rose", "tulip")
PREPOSITIONS = ("near", "beside", "behind")

IMPLIES = {
    **dict.fromkeys(("man", "woman", "child", "teacher", "student"), "person"),
    **dict.fromkeys(("boy", "girl"), "child"),
    **dict.fromkeys(("dog", "cat", "bird"), "animal"),
    **{"puppy": "dog", "kitten": "cat", "duck": "bird"},
    **dict.fromkeys(("running", "walking"), "moving"),
    **dict.fromkeys(("shouting", "whispering"), "talking"),
    **dict.fromkeys(("ball", "kite", "doll"), "toy"),
    **dict.fromkeys(("apple", "orange", "pear"), "fruit"),
    **dict.fromkeys(("rose", "tulip"), "flower"),
    **dict.fromkeys(("car", "bus"), "vehicle"),
    "beside": "near",
}
EXCLUSIVE = (
    ("man", "woman", "child"),
    ("boy", "girl"),
    ("dog", "cat", "bird"),
    ("running", "walking"),
    ("shouting", "whispering"),
    ("happy", "sad"),
    ("wet", "dry"),
    ("clean", "dirty"),
    ("black", "white", "brown", "red", "blue"),
)


def ancestors(word: str) -> list[str]:
    """Return the word and the words it implies, nearest first."""
    chain = [word]
    while chain[-1] in IMPLIES:
        chain.append(IMPLIES[chain[-1]])
    return chain


def rivals(word: str) -> list[str]:
    """Return the words that are exclusive with this one."""
    return [other for group in EXCLUSIVE if word in group for other in group if other != word]


def relatives(word: str) -> list[str]:
    """Return the words one step away: direct hypernym, hyponyms, and exclusive words."""
    above = [IMPLIES[word]] if word in IMPLIES else []
    below = [other for other, parent in IMPLIES.items() if parent == word]
    return above + below + rivals(word)


@dataclass(frozen=True)
class Quantifier:
    """A quantifier; a ``strong`` one presupposes that its noun phrase applies to something."""

    words: tuple[str, ...]
    plural: bool = False
    strong: bool = False


QUANTIFIERS = {
    " ".join(quantifier.words): quantifier
    for quantifier in (
        Quantifier(("every",), strong=True),
        Quantifier(("all",), plural=True, strong=True),
        Quantifier(("not", "every"), strong=True),
        Quantifier(("not", "all"), plural=True, strong=True),
        Quantifier(("most",), plural=True, strong=True),
        Quantifier(("some",)),
        Quantifier(("a",)),
        Quantifier(("no",)),
        Quantifier(("at", "least", "two"), plural=True),
        Quantifier(("exactly", "one")),
    )
}
NEGATIVE_QUANTIFIERS = frozenset({"no", "not every", "not all"})
