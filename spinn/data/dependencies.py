"""Binary trees of dependency parses.

A tree grows from its head: dependents join one at a time, on either side the nearest first. Which
side goes first is a matter of rank: in English a determiner joins its noun before a prepositional
phrase does, an auxiliary joins its verb after the objects, and a subject joins last. The ranks, and
a few changes of the parse, follow the trees of SNLI (Bowman et al. 2015), which come from the
Stanford PCFG parser (Klein and Manning 2003). Labels are those of spaCy's English pipelines
(ClearNLP); for others, all dependents on the right join before those on the left.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from spinn.transitions import Transition, TransitionArray


class DependencyParse(NamedTuple):
    """A sentence of N words with its dependency parse.

    Attributes
    ----------
    words
        The words.
    heads
        The index of each word's head. A root is its own head; several roots are allowed.
    labels
        The label of each word's dependency, such as ``nsubj``.
    tags
        The part-of-speech tag of each word, from the Penn Treebank's tag set.

    """

    words: list[str]
    heads: list[int]
    labels: list[str]
    tags: list[str]


_NOMINAL = {"det", "predet", "poss", "amod", "compound", "nummod", "nmod", "quantmod", "preconj"}
_SUBJECTS = {"nsubj", "nsubjpass", "expl", "csubj", "csubjpass"}
_AUXILIARIES = {"aux", "auxpass"}
_ADVERBS = {"advmod", "neg"}
_PUNCTUATION = 5.0  # joins the predicate, before the subject does
_SUBJECT = 6.0
_CLAUSE = 6.5  # joins a clause that is complete
_LEFT = (
    dict.fromkeys(_NOMINAL, 2.0)
    | dict.fromkeys((*_SUBJECTS, "punct"), _SUBJECT)
    | dict.fromkeys(("mark", "prep", "advcl", "ccomp", "intj", "dobj"), 7.0)
    | {"npadvmod": 5.5, "cc": 8.0}
)
_RIGHT = {"prt": 1.0, "case": 1.0, "cc": _CLAUSE}  # a conjunction joins with its conjunct
_OTHER_LEFT, _OTHER_RIGHT = 4.0, 3.0
# Prepositions whose phrase SNLI's trees attach to the noun before them, after a prepositional
# phrase and after an object.
_AFTER_PREPOSITION = {"in", "on", "with", "for", "near", "of", "at"}
_AFTER_OBJECT = {"of", "near", "for", "in"}


def tree_of(parse: DependencyParse) -> TransitionArray:
    """Return the transitions ``[2N - 1]`` of a parse's binary tree, with the words in order.

    Crossing dependencies are removed: the dependent is attached to the head of its head (as in
    Nivre and Nilsson 2005), until none cross.
    """
    heads = _with_one_root(parse.heads)
    _flatten_coordination(heads, parse.labels)
    _attach_adverbs(heads, parse.labels)
    _attach_phrases(heads, parse)
    _remove_crossings(heads)
    return _transitions(_reductions(parse, heads))


def _with_one_root(heads: list[int]) -> list[int]:
    """Return heads with one root; others become its dependents."""
    roots = [word for word, head in enumerate(heads) if head == word]
    others = set(roots[1:])
    return [roots[0] if word in others else head for word, head in enumerate(heads)]


def _flatten_coordination(heads: list[int], labels: list[str]) -> None:
    """Attach all conjuncts, and what separates them, to the first: spaCy chains them."""
    for word, label in enumerate(labels):
        former = heads[word]
        first = former
        while label == labels[first] == "conj" and heads[first] != first:
            first = heads[first]
        if first == former:
            continue
        for between in range(former + 1, word):
            if heads[between] == former and labels[between] in ("cc", "punct"):
                heads[between] = first
        heads[word] = first


def _attach_adverbs(heads: list[int], labels: list[str]) -> None:
    """Attach adverbs between an auxiliary and its verb to the auxiliary: ``(is not) running``.

    Objects of verb particles become objects of the verb.
    """
    auxiliary: dict[int, int] = {}  # of each verb, the last before its adverbs
    for word, head in enumerate(heads):
        if labels[word] == "pobj" and labels[head] == "prt":
            heads[word] = heads[head]
        if word >= head:  # a root is its own head
            continue
        if labels[word] in _AUXILIARIES:
            auxiliary[head] = word
        elif labels[word] in _ADVERBS and head in auxiliary:
            heads[word] = auxiliary[head]
        else:
            auxiliary.pop(head, None)


def _attach_phrases(heads: list[int], parse: DependencyParse) -> None:
    """Attach some phrases after a phrase or an object to the noun before them."""
    left, right = _dependents(heads)
    labels, tags = parse.labels, parse.tags
    for dependents in right:
        for former, word in pairwise(dependents):
            if labels[former] == labels[word] == "acl":
                heads[word] = former
            elif _is_local(parse, left, former, word):
                noun = _last_noun(right, tags, former, labels[former] == "dobj")
                if noun is not None:
                    heads[word] = noun


def _is_local(parse: DependencyParse, left: list[list[int]], former: int, word: int) -> bool:
    """Return whether a phrase belongs to the noun that ends the dependent before it."""
    before, label = parse.labels[former], parse.labels[word]
    preposition = parse.words[word].lower()
    if label == "prep":
        return (before == "prep" and preposition in _AFTER_PREPOSITION) or (
            before == "dobj" and preposition in _AFTER_OBJECT
        )
    bare = all(parse.labels[one] != "mark" for one in left[word])
    return before == "prep" and label == "advcl" and parse.tags[word] == "VBG" and bare


def _right_edge(right: list[list[int]], word: int) -> Iterator[int]:
    """Yield a word and its last dependents: those after which a phrase can be attached."""
    yield word
    while right[word]:
        word = right[word][-1]
        yield word


def _last_noun(right: list[list[int]], tags: list[str], word: int, itself: bool) -> int | None:
    """Return the last noun on the right edge of a word's phrase, with or without the word."""
    edge = list(_right_edge(right, word))
    nouns = [one for one in edge[1:] if tags[one][:2] in ("NN", "PR", "CD")]
    return nouns[-1] if nouns else (word if itself else None)


def _remove_crossings(heads: list[int]) -> None:
    """Attach dependents to the head of their head, the shortest arc first, until none cross."""
    while crossing := _crossing(heads):
        word = min(crossing, key=lambda one: abs(one - heads[one]))
        heads[word] = heads[heads[word]]


def _crossing(heads: list[int]) -> list[int]:
    """Return the words with a word between them and their head that does not descend from it."""
    if not _has_crossing_arcs(heads):
        return []
    found = []
    for word, head in enumerate(heads):
        inside = range(min(word, head) + 1, max(word, head))
        if any(not _descends(heads, one, head) for one in inside):
            found.append(word)
    return found


def _has_crossing_arcs(heads: list[int]) -> bool:
    """Return whether two arcs cross, or one spans the root, by a stack of arcs that are open."""
    count = len(heads)
    opening: list[list[int]] = [[] for _ in range(count)]
    closing = [0] * count
    for word, head in enumerate(heads):
        if word != head:
            opening[min(word, head)].append(max(word, head))
            closing[max(word, head)] += 1
    open_ends: list[int] = []
    for word in range(count):
        for _ in range(closing[word]):
            if open_ends.pop() != word:
                return True
        if heads[word] == word and open_ends:
            return True
        open_ends += sorted(opening[word], reverse=True)
    return False


def _descends(heads: list[int], word: int, head: int) -> bool:
    while word != head:
        if heads[word] == word:
            return False
        word = heads[word]
    return True


def _dependents(heads: list[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Return the dependents of each word on its left and on its right, the nearest first."""
    left: list[list[int]] = [[] for _ in heads]
    right: list[list[int]] = [[] for _ in heads]
    for word, head in enumerate(heads):
        if word > head:
            right[head].append(word)
        elif word < head:
            left[head].insert(0, word)
    return left, right


def _reductions(parse: DependencyParse, heads: list[int]) -> list[int]:
    """Return the number of nodes that end with each word, which determines a binary tree."""
    left, right = _dependents(heads)
    counts = [0] * len(heads)
    ends = list(range(len(heads)))  # last word of each word's phrase, as far as it has grown
    for word in _bottom_up(heads, left, right):
        before = _effective([_LEFT.get(parse.labels[one], _OTHER_LEFT) for one in left[word]])
        after = _effective([_rank_right(parse, left, one, word) for one in right[word]])
        for dependent in _order(left[word], before, right[word], after):
            if dependent > word:
                ends[word] = ends[dependent]
            counts[ends[word]] += 1
    return counts


def _rank_right(parse: DependencyParse, left: list[list[int]], word: int, head: int) -> float:
    """Return the rank of a dependent on the right."""
    label = parse.labels[word]
    own = [parse.labels[one] for one in left[word]]
    of_head = [parse.labels[one] for one in left[head]]
    if label == "conj":
        if any(one in _SUBJECTS for one in own):
            return _CLAUSE
        bare = not own and len(of_head) == 1 and of_head[0] in _NOMINAL
        return 1.5 if bare else 3.5  # "a (cat and dog)", but "(a cat) and (a dog)"
    if label == "punct":
        participle = parse.tags[head] in ("VBG", "VBN")
        auxiliary = any(one in _AUXILIARIES for one in of_head)
        return _CLAUSE if participle and not auxiliary else _PUNCTUATION
    return _RIGHT.get(label, _OTHER_RIGHT)


def _effective(ranks: list[float]) -> list[float]:
    """Return ranks lowered to those of later dependents, which wait for the earlier ones."""
    return list(accumulate(reversed(ranks), min))[::-1]


def _order(
    left: list[int], before: list[float], right: list[int], after: list[float]
) -> Iterator[int]:
    """Yield dependents in the order in which they join; of equal ranks, the right one first."""
    taken = 0
    for dependent, rank in zip(left, before, strict=True):
        while taken < len(right) and after[taken] <= rank:
            yield right[taken]
            taken += 1
        yield dependent
    yield from right[taken:]


def _bottom_up(heads: list[int], left: list[list[int]], right: list[list[int]]) -> Iterator[int]:
    """Yield all words, each after its dependents."""
    waiting = [word for word, head in enumerate(heads) if head == word]
    order = []
    while waiting:
        word = waiting.pop()
        order.append(word)
        waiting += left[word]
        waiting += right[word]
    return reversed(order)


def _transitions(reductions: list[int]) -> TransitionArray:
    transitions: list[int] = []
    for count in reductions:
        transitions.append(int(Transition.SHIFT))
        transitions += [int(Transition.REDUCE)] * count
    return np.array(transitions, dtype=np.int8)
