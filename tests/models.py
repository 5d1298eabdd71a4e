"""Models of options that are given flat."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from spinn.model.build import (
    EmbeddingOptions,
    ModelOptions,
    SPINNOptions,
    build_embedding,
    build_model,
)
from spinn.model.cells import CompositionOptions
from spinn.model.pair import PairModel
from spinn.model.parser import ParserOptions
from spinn.model.tracker import TrackerOptions

Group = TypeVar("Group")


def model_of(
    words: int, labels: int, *, predicts: bool = False, sides: int = 2, **options: Any
) -> PairModel:
    """Build a model with drawn word vectors."""
    left = dict(options)

    def part(kind: type[Group]) -> Group:
        names = [part.name for part in fields(kind)]  # type: ignore[arg-type]
        return kind(**{name: left.pop(name) for name in names if name in left})

    embedding = build_embedding(words, part(EmbeddingOptions))
    model = build_model(
        part(ModelOptions),
        embedding,
        labels,
        predicts=predicts,
        spinn=part(SPINNOptions),
        composition=part(CompositionOptions),
        tracker=part(TrackerOptions),
        parser=part(ParserOptions),
        sides=sides,
    )
    assert not left, left
    return model
