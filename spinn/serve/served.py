"""A model that is served: one call at a time, with a predictor for each choice of trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

from spinn.data.examples import Example
from spinn.prediction import Prediction, SentenceTrace
from spinn.predictor import Predictor
from spinn.serve.schemas import (
    MAX_WORDS,
    ModelRecord,
    PredictionRecord,
    PredictResponse,
    SentenceRecord,
    StepRecord,
    TraceResponse,
    Trees,
)
from spinn.support.errors import ConfigurationError, DataError, SpinnError
from spinn.trees import GUMBEL_TREES

_SOURCES = {
    Trees.LEFT: "left",
    Trees.RIGHT: "right",
    Trees.BALANCED: "balanced",
    Trees.GIVEN: "gold",
}


class ServedModel:
    """A model under a name.

    Parameters
    ----------
    name
        The name in requests.
    predictor
        The model with its own trees. Predictors for other trees share its weights.

    """

    def __init__(self, name: str, predictor: Predictor) -> None:
        self.name = name
        self._trained = predictor.trained
        self._predictors = {Trees.OWN: predictor}
        self._lock = Lock()

    @property
    def trees(self) -> list[Trees]:
        """The trees that the model can follow."""
        source = self._predictors[Trees.OWN].source
        return [Trees.OWN] if source is None or source is GUMBEL_TREES else list(Trees)

    def describe(self) -> ModelRecord:
        """Return what the page has to know of the model."""
        trained, source = self._trained, self._predictors[Trees.OWN].source
        return ModelRecord(
            name=self.name,
            form=trained.configuration.form,
            roles=list(trained.kind.roles),
            labels=list(trained.labels),
            words=len(trained.vocabulary),
            weights=sum(weight.numel() for weight in trained.model.parameters()),
            trees=self.trees,
            source=None if source is None else source.name,
            parsed_text=source is not None and source.needs_parse,
        )

    def predict(self, examples: Sequence[Sequence[str]], trees: Trees) -> PredictResponse:
        """Classify examples.

        Raises
        ------
        SpinnError
            If an example cannot be read or is too long, or the model cannot follow these trees.

        """
        predictions = self._predictions(examples, trees)
        records = [PredictionRecord(**prediction.as_dict()) for prediction in predictions]
        return PredictResponse(model=self.name, trees=trees, predictions=records)

    def trace(self, sentences: Sequence[str], trees: Trees) -> TraceResponse:
        """Classify an example, and return the steps that built its trees.

        Errors are those of :meth:`predict`.
        """
        (prediction,) = self._predictions([sentences], trees)
        traces = prediction.traces or (None,) * len(prediction.sentences)
        return TraceResponse(
            model=self.name,
            trees=trees,
            predicted=prediction.label,
            probabilities=prediction.probabilities,
            unknown=list(prediction.unknown),
            sentences=[
                _sentence_record(role, sentence.words, trace)
                for role, sentence, trace in zip(
                    self._trained.kind.roles, prediction.sentences, traces, strict=True
                )
            ],
        )

    def _predictions(self, examples: Sequence[Sequence[str]], trees: Trees) -> list[Prediction]:
        with self._lock:
            predictor = self._predictor(trees)
            read = [
                _read(predictor, texts, trees, "" if len(examples) == 1 else f"Example {number}: ")
                for number, texts in enumerate(examples, start=1)
            ]
            return predictor.predict(read)

    def _predictor(self, trees: Trees) -> Predictor:
        if trees not in self.trees:
            raise ConfigurationError(
                f"{self.name} ({self._trained.configuration.form}) follows no other trees than its "
                'own; choose "own".'
            )
        if trees not in self._predictors:
            self._predictors[trees] = Predictor(self._trained, trees=_SOURCES[trees])
        return self._predictors[trees]


def _read(predictor: Predictor, texts: Sequence[str], trees: Trees, place: str) -> Example:
    """Read an example; ``place`` names it in errors."""
    roles = predictor.kind.roles
    if len(texts) != len(roles):
        count = "1 sentence" if len(roles) == 1 else f"{len(roles)} sentences ({', '.join(roles)})"
        raise SpinnError(f"{place}Give {count}, not {len(texts)}.")
    try:
        example = predictor.read(texts)
    except DataError as error:
        remedy = f" {error.remedy}." if error.remedy else ""
        raise SpinnError(f"{place}{_capitalised(error.cause)}.{remedy}") from error
    for role, sentence in zip(roles, example.sentences, strict=True):
        if len(sentence.words) > MAX_WORDS:
            raise SpinnError(
                f"{place}The {role} has {len(sentence.words):,} words where at most {MAX_WORDS} "
                "are read. Shorten it."
            )
        if trees == Trees.GIVEN and sentence.transitions is None:
            raise SpinnError(
                f"{place}The {role} has no tree. Write it in brackets, such as ( ( a dog ) runs )."
            )
    return example


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence_record(role: str, words: list[str], trace: SentenceTrace | None) -> SentenceRecord:
    if trace is None:
        return SentenceRecord(role=role, words=words, brackets=None, steps=None, svg=None)
    return SentenceRecord(
        role=role,
        words=words,
        brackets=trace.tree.brackets,
        steps=[StepRecord(**vars(step)) for step in trace],
        svg=trace.tree.to_svg(),
    )


def load_models(paths: Sequence[Path], load: Callable[[Path], Predictor]) -> dict[str, ServedModel]:
    """Load models, and name each after its folder.

    Parameters
    ----------
    paths
        Folders of runs. Those with the same name are named by their paths.
    load
        Loads one.

    Raises
    ------
    SpinnError
        If a folder is given twice or cannot be used.

    """
    places = [path.resolve() for path in paths]
    names = [place.name for place in places]
    models: dict[str, ServedModel] = {}
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ConfigurationError(f"{path} is given twice; give each run once.")
        unique = str(path) if names.count(place.name) > 1 else place.name
        models[unique] = ServedModel(unique, load(path))
    return models


def find_model(models: Mapping[str, ServedModel], name: str | None) -> ServedModel:
    """Return the model of a name, or the first.

    Raises
    ------
    SpinnError
        If there is no such model.

    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise SpinnError(f"There is no model called {name!r}; choose from {', '.join(models)}.")
    return models[name]
