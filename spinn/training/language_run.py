"""A run of a language model from configuration to results, as ``spinn lm train`` starts it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from spinn import pretrained
from spinn.data.language import TextCorpus, load_text
from spinn.language.config import LANGUAGE_GROUPS, LanguageConfiguration, resolve_language
from spinn.language.fragments import FragmentConfiguration
from spinn.language.perplexity import text_scores
from spinn.language.pretrained import (
    TrainedLanguageModel,
    load_language_model,
    read_language_configuration,
    write_model_files,
)
from spinn.language.vectors import read_vectors, take_vectors
from spinn.learning.averaging import NTASGDOptions
from spinn.learning.options import LoopOptions
from spinn.model.build import count_parameters
from spinn.model.language import LANGUAGE_GROUP
from spinn.support.errors import ConfigurationError
from spinn.support.files import as_json, write_whole
from spinn.support.options import flag_of
from spinn.support.runtime import choose_device, set_threads
from spinn.training.language import LanguageTask
from spinn.training.log import Log, read_metrics
from spinn.training.loggers import loggers_of
from spinn.training.loop import Trainer
from spinn.training.run_directory import CURVE, RunDirectory, check_unused, claimed, new_folder
from spinn.training.task import Task

logger = logging.getLogger(__name__)
COMMAND = ("lm", "train")


def train_language_model(
    configuration: LanguageConfiguration,
    output: Path | None = None,
    base: TrainedLanguageModel | None = None,
) -> dict[str, Any]:
    """Train a new language model and test it.

    Parameters
    ----------
    configuration
        All options.
    output
        The folder of the run; by default a new one under ``runs``.
    base
        A model whose weights and tokens it begins with, of the same shape.

    Returns
    -------
    The results, as written to ``results.json``.

    """
    device = prepare_machine(configuration.training)
    name = f"lm-{configuration.data.unit}-{configuration.language.cell}"
    path = new_folder(name, configuration.training.seed) if output is None else output
    with claimed(path):
        check_unused(path, COMMAND)  # before the text is read
        shared = _read_shared(configuration) if base is None else base
        corpus = _load(configuration, shared)
        vectors = read_vectors(configuration, corpus) if base is None else None
        run = RunDirectory(path, COMMAND)
        run.begin(lambda: write_model_files(path, configuration, corpus.vocabulary))
        run.write_fingerprints(corpus.sets)
        torch.manual_seed(configuration.training.seed)
        model = configuration.build_model(len(corpus.vocabulary))
        if base is not None:
            model.load_state_dict(base.model.state_dict())
        elif shared is not None:
            model.embedding.load_state_dict(shared.model.embedding.state_dict())
        elif vectors is not None:
            take_vectors(model, vectors)
        logger.info(
            f"{configuration.form}: {count_parameters(model):,} weights, on {device}; "
            f"writing to {path}"
        )
        task = LanguageTask(configuration, corpus, model.to(device))
        trainer = make_trainer(task, configuration, run)
        return _finish(trainer, task)


def finetune_language_model(
    path: Path, given: Mapping[str, Any], output: Path | None = None
) -> dict[str, Any]:
    """Continue from the averaged weights of a run, averaging from the first step.

    Training stops when the averages are no better on dev than before some evaluations: the rule
    that began the averaging ends it (Merity, Keskar and Socher 2018, section 5).

    Parameters
    ----------
    path
        The folder of the run.
    given
        Options that replace those of the run.
    output
        The folder of the new run.

    Raises
    ------
    ConfigurationError
        If an option would change the shape of the model.

    """
    for name in ("unit", "direction", *LANGUAGE_GROUP.fields()):
        if name in given:
            raise ConfigurationError(f"{flag_of(name)} is that of the run; drop it.")
    base = load_language_model(path)
    own = base.configuration.as_dict()
    kept = {part.name for part in fields(NTASGDOptions)}  # other optimisers have other options
    own["optimizer"] = {name: value for name, value in own["optimizer"].items() if name in kept}
    averaging = {"optimizer": "nt-asgd", "average_from": "start"}
    configuration = resolve_language(LANGUAGE_GROUPS.flatten(own), averaging, given)
    return train_language_model(configuration, output, base)


def resume_language_model(path: Path, place: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Continue an interrupted run exactly as it would have continued without the interruption.

    Parameters
    ----------
    path
        The folder of the run.
    place
        Options of where the run is computed and where its text is.

    """
    configuration = read_language_configuration(path).moved(place or {})
    with claimed(path):
        run = RunDirectory(path, COMMAND)
        run.remove_scratch()
        saved = load_language_model(path, "last")
        device = prepare_machine(configuration.training)
        corpus = _load(configuration, saved)
        run.check_data(corpus.sets, "--text, --corpus, or --train, --dev and --test")
        task = LanguageTask(configuration, corpus, saved.model.to(device))
        trainer = make_trainer(task, configuration, run)
        trainer.resume()
        return _finish(trainer, task)


def _read_shared(configuration: LanguageConfiguration) -> TrainedLanguageModel | None:
    """Read the model whose embeddings are used; ``None`` if there is none.

    Raises
    ------
    SpinnError
        If it has other units, or embeddings of another width.

    """
    name = configuration.language.embeddings_of
    if name is None:
        return None
    shared = load_language_model(Path(name))
    if shared.unit.name != configuration.data.unit:
        raise ConfigurationError(
            f"--embeddings-of {name} is a model of {shared.unit.plural}; "
            f"give --unit {shared.unit.name}."
        )
    width = shared.configuration.language.embedding_size
    if width != configuration.language.embedding_size:
        raise ConfigurationError(
            f"The embeddings have width {configuration.language.embedding_size}, those of {name} "
            f"{width}: give --embedding-size {width}."
        )
    return shared


def _load(configuration: LanguageConfiguration, base: TrainedLanguageModel | None) -> TextCorpus:
    """Read the text, with the tokens of a model if there is one."""
    corpus = load_text(configuration.data, None if base is None else base.vocabulary)
    for note in corpus.notes:
        logger.info(note)
    if "dev" not in corpus.sets:
        logger.info("There is no dev set: the best checkpoint is that with the best fit of train.")
    return corpus


def prepare_machine(options: LoopOptions) -> torch.device:
    """Set the number of threads; return the device."""
    set_threads(options.threads)
    return choose_device(options.device)


def make_trainer(
    task: Task[Any], configuration: LanguageConfiguration | FragmentConfiguration, run: RunDirectory
) -> Trainer:
    """Set up the loop and its loggers."""
    log = Log(loggers_of(run, configuration))
    return Trainer(task, configuration.training, configuration.schedule, run, log)


def _finish(trainer: Trainer, task: LanguageTask) -> dict[str, Any]:
    """Train to the end, then evaluate the best weights, and write results and a plot."""
    trainer.train()
    configuration = task.configuration
    model = load_language_model(trainer.run.path).model.to(task.device)
    results: dict[str, Any] = {}
    for split, text in task.corpus.sets.items():
        if split != "train" or "dev" not in task.corpus.sets:
            layout = configuration.batches.layout
            scores = text_scores(
                model,
                text.tokens,
                layout=layout,
                size=1 if layout == "streams" else configuration.batches.batch_size,
                precision=configuration.training.precision,
            )
            results[split] = scores.as_dict() | {"tokens": scores.tokens}
            logger.info(f"{split}: {task.summary(scores.as_dict())}")
    return write_results(trainer, configuration.form, results)


def write_results(trainer: Trainer, form: str, scores: dict[str, Any]) -> dict[str, Any]:
    """Write the results of a run that has ended, and a plot; return the results.

    Parameters
    ----------
    trainer
        The loop.
    form
        The name of the model.
    scores
        Figures by set.

    """
    from spinn.evaluation.plots import plot_learning_curve  # the plotting library loads slowly

    run, progress = trainer.run, trainer.progress
    results: dict[str, Any] = {
        "form": form,
        "best_epoch": progress.best_epoch,
        "seconds": round(progress.seconds, 1),
        "weights": count_parameters(trainer.task.model),
    } | scores
    write_whole(run.path / pretrained.RESULTS, as_json(results, indent=2))
    title = f"{form}, seed {trainer.options.seed}"
    plot_learning_curve(read_metrics(run.metrics), run.path / CURVE, title, "perplexity")
    minutes, seconds = divmod(math.ceil(progress.seconds), 60)
    logger.info(f"Trained for {minutes} min {seconds} s. Results, plot and checkpoints: {run.path}")
    return results
