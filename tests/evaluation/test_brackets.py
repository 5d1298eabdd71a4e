"""The files of trees for evalb, scored again by what evalb does, with nltk's trees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.examples import Example, Sentence
from spinn.evaluation.brackets import bracket_files
from spinn.evaluation.classification import ClassificationReport
from spinn.evaluation.evaluate import Evaluation
from spinn.evaluation.evaluate_files import EvaluatedPart
from spinn.evaluation.tree_scores import Conventions, ParseScore
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.transitions import TransitionArray, left_branching, random_uniform

try:
    import nltk
except ModuleNotFoundError:  # these tests are then skipped
    nltk = None

needs_nltk = pytest.mark.skipif(nltk is None, reason="nltk is not installed")

WORDS = ["the", "dog", "runs", "(", ")", ",", "."]


def evaluated(
    pairs: list[tuple[Sentence, Sentence]], trees: list[TransitionArray] | None
) -> EvaluatedPart:
    examples = [Example(premise, hypothesis, None, 1) for premise, hypothesis in pairs]
    report = ClassificationReport(("yes", "no"))
    probabilities = np.zeros((len(pairs), 2), dtype=np.float32)
    return EvaluatedPart(examples, Evaluation(report, probabilities, trees))


def write_brackets(part: EvaluatedPart, folder: Path) -> int:
    with bracket_files(folder) as files:
        files.add(part)
    return files.count


def brackets(tree: nltk.Tree, start: int = 0) -> tuple[int, Counter[tuple[str, int, int]]]:
    """Collect labels and spans of all nodes but those over a word, as evalb counts them."""
    if not isinstance(tree[0], nltk.Tree):
        return start + 1, Counter()
    end, found = start, Counter[tuple[str, int, int]]()
    for child in tree:
        end, below = brackets(child, end)
        found += below
    return end, found + Counter([(tree.label(), start, end)])


def evalb_f1(folder: Path) -> float:
    """Score the two files: F1 of the labelled brackets of all lines together."""
    gold, predicted = (
        [brackets(nltk.Tree.fromstring(line))[1] for line in (folder / name).open(encoding="utf-8")]
        for name in ("gold.txt", "predicted.txt")
    )
    matched = sum((one & other).total() for one, other in zip(gold, predicted, strict=True))
    recall = matched / sum(one.total() for one in gold)
    precision = matched / sum(one.total() for one in predicted)
    return 2 * precision * recall / (precision + recall)


@needs_nltk
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    st.integers(0, 2**32),
)
def test_f1_from_the_files_is_that_of_the_corpus(lengths, seed):
    random = np.random.default_rng(seed)
    flat = np.array([*lengths, (5, 5)]).ravel()  # at least one tree has brackets
    gold, trees = (
        [steps[: 2 * length - 1, place] for place, length in enumerate(flat)]
        for steps in (random_uniform(flat, random), random_uniform(flat, random))
    )
    sides = [
        Sentence(random.choice(WORDS, size=length).tolist(), tree)
        for length, tree in zip(flat, gold, strict=True)
    ]
    score = ParseScore(Conventions(average="corpus"))
    for tree, parse in zip(trees, gold, strict=True):
        score.update(tree, parse)
    with TemporaryDirectory() as folder:
        pairs = list(zip(sides[::2], sides[1::2], strict=True))
        assert write_brackets(evaluated(pairs, trees), Path(folder)) == len(flat)
        assert evalb_f1(Path(folder)) == pytest.approx(score.f1)


def test_premise_and_hypothesis_stand_on_consecutive_lines(tmp_path):
    left = left_branching(3)
    parsed = Sentence(["a", "dog", "runs"], left)
    other = Sentence(["it", "moves"], left_branching(2))
    unparsed = Sentence(["so", "what", "?"])
    trees = [np.array([3, 3, 3, 2, 2], dtype=np.int8), left_branching(2), left, left_branching(2)]
    written = write_brackets(
        evaluated([(parsed, other), (unparsed, other)], trees), tmp_path / "new"
    )
    assert written == 3
    assert (tmp_path / "new" / "gold.txt").read_text().splitlines() == [
        "(X (X (T a) (T dog)) (T runs))",
        "(X (T it) (T moves))",
        "(X (T it) (T moves))",
    ]
    assert (tmp_path / "new" / "predicted.txt").read_text().splitlines()[:2] == [
        "(X (T a) (X (T dog) (T runs)))",
        "(X (T it) (T moves))",
    ]


def test_without_trees_or_parses_there_is_nothing_to_write(tmp_path):
    pair = (Sentence(["a"]), Sentence(["b"]))
    with pytest.raises(ConfigurationError, match="the model has no trees"):
        write_brackets(evaluated([pair], None), tmp_path)
    with pytest.raises(SpinnError, match="no sentence here has one"):
        write_brackets(evaluated([pair], [left_branching(1)] * 2), tmp_path)
    (tmp_path / "file").touch()
    parsed = (Sentence(["a"], left_branching(1)),) * 2
    with pytest.raises(SpinnError, match="it cannot be written"):
        write_brackets(evaluated([parsed], [left_branching(1)] * 2), tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
