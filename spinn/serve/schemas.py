"""Requests and responses of the HTTP interface, and their limits.

FastAPI checks requests against these classes, and makes ``/openapi.json`` from them.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_WORDS = 200  # words of a sentence
MAX_CHARACTERS = 8_000  # characters of a sentence as it is given, with the brackets of a tree
MAX_EXAMPLES = 64  # examples of a request
MAX_BODY = 1_000_000  # bytes of a request


class Trees(str, Enum):
    """The trees that a model is to follow."""

    OWN = "own"
    LEFT = "left"
    RIGHT = "right"
    BALANCED = "balanced"
    GIVEN = "given"


Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
ModelName = Annotated[
    str | None, Field(description="A name from /api/models; the first model if it is left out.")
]
ChosenTrees = Annotated[
    Trees,
    Field(
        description="own: those of the model. left, right, balanced: fixed shapes. given: those of "
        "the sentences, which must be bracketed binary trees."
    ),
]


class RequestBody(BaseModel):
    """A request; one with a field of another name is refused."""

    model_config = ConfigDict(extra="forbid")


class PredictRequest(RequestBody):
    """Examples to classify."""

    examples: list[list[Text]] = Field(
        min_length=1,
        max_length=MAX_EXAMPLES,
        description="The sentences of each example: text, or bracketed binary trees.",
        examples=[[["A dog is running.", "An animal moves."]]],
    )
    model: ModelName = None
    trees: ChosenTrees = Trees.OWN


class TraceRequest(RequestBody):
    """One example, to see how a model encodes it."""

    sentences: list[Text] = Field(
        description="The sentences of the example: text, or bracketed binary trees.",
        examples=[["A dog is running.", "An animal moves."]],
    )
    model: ModelName = None
    trees: ChosenTrees = Trees.OWN


class PredictionRecord(BaseModel):
    """The results for an example, as ``spinn predict --json`` prints them."""

    predicted: str = Field(description="The most probable label.")
    probabilities: dict[str, float]
    premise: str | None = Field(None, description="Words or tree; of models of pairs.")
    hypothesis: str | None = Field(None, description="Words or tree; of models of pairs.")
    sentence: str | None = Field(None, description="Words or tree; of models of sentences.")
    unknown: list[str] = Field(description="Words that are not in the vocabulary.")


class PredictResponse(BaseModel):
    """A prediction for each example, in the same order."""

    model: str
    trees: Trees
    predictions: list[PredictionRecord]


class StepRecord(BaseModel):
    """A transition, and what the model saw before it."""

    transition: str = Field(description="shift or reduce")
    probabilities: dict[str, float] | None = Field(
        description="Of shift and reduce; an illegal one has 0. null if nothing scored them."
    )
    stack: list[str] = Field(description="Words and bracketed phrases, the topmost last.")
    buffer: list[str] = Field(description="The remaining words, the next one first.")


class SentenceRecord(BaseModel):
    """A sentence, and the steps that built its tree."""

    role: str = Field(description="premise, hypothesis or sentence")
    words: list[str]
    brackets: str | None = Field(description="The tree; null if the model has none.")
    steps: list[StepRecord] | None = Field(description="null if the model has no trees.")
    svg: str | None = Field(description="A drawing of the tree.")


class TraceResponse(BaseModel):
    """A prediction, and how it was built."""

    model: str
    trees: Trees
    predicted: str
    probabilities: dict[str, float]
    unknown: list[str]
    sentences: list[SentenceRecord]


class ModelRecord(BaseModel):
    """A model that is served."""

    name: str
    form: str = Field(description="The published name of this kind of model.")
    roles: list[str] = Field(description="The sentences of an example.")
    labels: list[str]
    words: int = Field(description="Size of the vocabulary.")
    weights: int = Field(description="Number of weights.")
    trees: list[Trees] = Field(description="The trees that it can follow.")
    source: str | None = Field(description="Where its own trees come from; null if it has none.")
    parsed_text: bool = Field(description="Whether text without a tree must be parsed first.")


class Limits(BaseModel):
    """The largest input."""

    words: int = MAX_WORDS
    characters: int = MAX_CHARACTERS
    examples: int = MAX_EXAMPLES


class ModelsResponse(BaseModel):
    """All models that are served."""

    models: list[ModelRecord]
    limits: Limits = Limits()


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
