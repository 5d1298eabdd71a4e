"""Examples with a model's labels, probabilities and trees, as records for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spinn.data.examples import Sentence, kind_with
from spinn.data.formats.format import bracketed
from spinn.evaluation.evaluate_files import EvaluatedPart
from spinn.inference import with_trees


def prediction_record(
    label: str, probabilities: Mapping[str, float], sentences: Sequence[Sentence]
) -> dict[str, Any]:
    """Return the record of a prediction; sentences are written as trees if they have one."""
    roles = kind_with(len(sentences)).roles
    return {
        "predicted": label,
        "probabilities": {name: round(float(p), 6) for name, p in probabilities.items()},
        **{role: bracketed(sentence) for role, sentence in zip(roles, sentences, strict=True)},
    }


def evaluation_records(part: EvaluatedPart, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield a record of each example of an evaluation.

    Where several labels count as one class, ``predicted`` is a class like ``gold``, and the
    probabilities are those of the model's labels.
    """
    trees, classes = part.evaluation.trees, part.classes
    for row, example in enumerate(part.examples):
        probabilities = part.evaluation.probabilities[row]
        best = int(probabilities.argmax())
        label = labels[best] if classes is None else classes.names[classes.members[best]]
        given = {"id": example.identifier, "line": example.line, "gold": example.label}
        named = dict(zip(labels, probabilities, strict=True))
        yield given | prediction_record(label, named, with_trees(example, row, trees))
