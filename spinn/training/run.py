"""A training run from configuration to results: the corpus, the model, the loop, the report.

``spinn train`` calls this module, and so can other programs. If torch's process group is
initialised, all its processes call it and train one model together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinn.config import Configuration
from spinn.data.corpus import Corpus
from spinn.data.dataset import PairDataset
from spinn.data.examples import SENTENCE
from spinn.data.find import named
from spinn.data.prepare import load_corpus
from spinn.evaluation.evaluate import evaluate_trained
from spinn.evaluation.scores import all_scores
from spinn.evaluation.tree_scores import Conventions
from spinn.model.build import PretrainedOptions, build_embedding, count_parameters
from spinn.model.leaves import LEAF_CONTEXTS, WordEmbedding
from spinn.model.pair import PairModel
from spinn.ops.dispatch import missing_loops
from spinn.pretrained import Interface, TrainedModel, load_trained
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.support.options import default_of, flag_of
from spinn.support.runtime import arithmetic
from spinn.training import distributed
from spinn.training.claims import new_folder
from spinn.training.launch import (
    claimed_by_first,
    finish,
    make_trainer,
    model_in_memory,
    new_run,
    place_of,
    prepare_machine,
    write_results,
)
from spinn.training.loop import Trainer
from spinn.training.pairs import PairTask
from spinn.training.run_directory import RunDirectory
from spinn.training.transfer import Source, read_source, take_bias, take_layers, vectors_of

logger = logging.getLogger(__name__)


@distributed.logging_in_first()
def train(configuration: Configuration, output: Path | None) -> dict[str, Any]:
    """Train a new model and test it.

    Parameters
    ----------
    configuration
        All options.
    output
        The folder of the run; by default a new one under ``runs``. The files of a run that ended
        there before its first checkpoint are removed.

    Returns
    -------
    The results, as written to ``results.json``.

    """
    configuration = replace(configuration, data=named(configuration.data, logging.INFO))
    with new_run(configuration.training, lambda: output or new_run_path(configuration)) as begun:
        path, device = begun
        source = distributed.together(lambda: read_source(configuration))
        corpus = distributed.in_turn(lambda: load_training_corpus(configuration))
        _check_vectors(configuration, corpus)
        if source is not None:
            corpus = replace(corpus, vectors=vectors_of(source, corpus))
        interface = Interface(corpus.vocabulary, corpus.labels, corpus.kind, corpus.format)
        run = distributed.on_first(lambda: RunDirectory.create(path, configuration, interface))
        distributed.on_first(lambda: run.write_fingerprints(corpus.sets))
        torch.manual_seed(configuration.training.seed)
        with model_in_memory(device):
            model = _build(configuration, corpus, source).to(device)
        logger.info(
            f"{configuration.form}: {count_parameters(model):,} weights "
            f"({count_parameters(model.encoder):,} in the encoder), on {place_of(device)}; "
            f"writing to {path}"
        )
        if configuration.source is not None:
            with arithmetic(device, configuration.training.precision):
                missing = missing_loops(torch.empty(0, device=device))
            if missing is not None:
                logger.info(missing)
        task = PairTask(configuration, corpus, model)
        if source is not None and task.objective.next_word is not None:
            take_bias(task.objective.next_word, corpus, source)
        trainer = make_trainer(task, configuration, run)
        return finish(trainer, lambda: _results(trainer, task))


@distributed.logging_in_first()
def resume(path: Path, place: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Continue an interrupted run exactly as it would have continued without the interruption.

    Parameters
    ----------
    path
        The folder of the run.
    place
        Options of :data:`PLACE` and :data:`DATA_PLACE` that replace the run's own. The data have
        to be the same.

    """
    run = distributed.on_first(lambda: RunDirectory.open(path))
    with claimed_by_first(path):
        distributed.on_first(run.remove_scratch)
        configuration = distributed.on_first(run.configuration).moved(place or {})
        device = prepare_machine(configuration.training)
        corpus = distributed.in_turn(lambda: load_training_corpus(configuration))
        embedding = distributed.on_first(lambda: _check_run(run, configuration, corpus))
        distributed.on_first(lambda: run.check_data(corpus.sets))
        sides = corpus.kind.count
        model = configuration.build_model(embedding, len(corpus.labels), sides).to(device)
        task = PairTask(configuration, corpus, model)
        trainer = make_trainer(task, configuration, run)
        trainer.resume()
        return finish(trainer, lambda: _results(trainer, task))


def _check_run(run: RunDirectory, configuration: Configuration, corpus: Corpus) -> WordEmbedding:
    """Return an embedding of the shape that was saved.

    Raises
    ------
    SpinnError
        If the training files of the run have changed, or it is damaged.

    """
    saved = run.interface()
    found = (saved.vocabulary.words, saved.labels, saved.kind)
    if found != (corpus.vocabulary.words, corpus.labels, corpus.kind):
        raise SpinnError(
            f"{run.path}: the run's vocabulary is not that of the training files in their present "
            "state. Restore the files, or train a new model."
        )
    return run.check_weights(configuration, "last")


def load_training_corpus(configuration: Configuration) -> Corpus:
    """Load the corpus, and check that it has the sets and the trees that training requires."""
    corpus = load_corpus(
        configuration.data,
        configuration.vectors,
        configuration.vector_source,
        configuration.sentence_parser,
    )
    for split in ("train", "dev"):
        if split not in corpus.sets:
            raise ConfigurationError(
                f"There is no {split} set; name its files with --{split}; if the corpus is "
                "prepared, prepare it again with them."
            )
    limit = configuration.training.max_words
    if limit is not None:
        corpus = _shortened(corpus, limit)
    source, teacher = configuration.source, configuration.teacher_source
    if source is not None and source.needs_parse:
        for split in corpus.sets:
            corpus.require_parses(split)
    if teacher is not None and teacher.needs_parse:
        corpus.require_parses("train")
    transform = configuration.batch_transform
    if transform is not None:  # raises an error for labels that it does not apply to
        transform.make_transform(corpus.vocabulary, corpus.labels)
    context = configuration.model.leaf_context
    if corpus.kind == SENTENCE and getattr(LEAF_CONTEXTS.get(context), "needs_pairs", False):
        raise ConfigurationError(
            f"--leaf-context {context} reads both sentences of a pair; this corpus has single "
            "sentences. Leave it out."
        )
    return corpus


def _check_vectors(configuration: Configuration, corpus: Corpus) -> None:
    """Reject options without effect on a prepared corpus, now that it shows if it has vectors."""
    if configuration.data.prepared is None:
        return
    vectors = corpus.vectors is not None
    if vectors and configuration.transfer is not None:
        raise ConfigurationError(
            "--pretrained does nothing here; the prepared corpus has vectors of its own."
        )
    idle: Any = configuration.embedding if vectors else configuration.pretrained
    for part in fields(idle):
        if getattr(idle, part.name) != default_of(part):
            have = "vectors of its own" if vectors else "no vectors"
            raise ConfigurationError(
                f"{flag_of(part.name)} does nothing here; the prepared corpus has {have}."
            )


def _shortened(corpus: Corpus, limit: int) -> Corpus:
    """Remove training examples with a sentence of more words than the limit."""
    data = corpus.sets["train"]
    short = data.take(np.flatnonzero(data.longest <= limit))
    if not len(short):
        raise ConfigurationError(
            f"--max-words {limit} leaves nothing to train on; the shortest example has "
            f"{data.longest.min()} words."
        )
    logger.info(
        f"Training on {len(short):,} of {len(data):,} {data.kind.unit}: "
        f"those of up to {limit} words a sentence."
    )
    first = corpus.unparsed["train"]
    if first is not None:
        first = [first[0], None]  # it may be one of those left out
    return replace(
        corpus,
        sets={**corpus.sets, "train": short},
        unparsed={**corpus.unparsed, "train": first},
    )


def new_run_path(configuration: Configuration) -> Path:
    """Return a folder under ``runs`` that does not exist, named after the form and the seed."""
    name = configuration.form.lower().replace(" ", "-")
    return new_folder(name, configuration.training.seed)


def _build(configuration: Configuration, corpus: Corpus, source: Source | None) -> PairModel:
    """Build the model, with the weights of language models if there are any."""
    vectors, pretrained = corpus.vectors, configuration.pretrained
    if configuration.transfer is not None and configuration.transfer.pretrained_freeze:
        pretrained = PretrainedOptions(embeddings="fixed")
    embedding = build_embedding(
        len(corpus.vocabulary),
        configuration.embedding,
        pretrained,
        vectors=None if vectors is None else vectors.vectors,
        known=None if vectors is None else vectors.known,
        met=corpus.training_words,
    )
    model = configuration.build_model(embedding, len(corpus.labels), corpus.kind.count)
    if source is not None:
        take_layers(model, configuration, source)
    return model


def _results(trainer: Trainer, task: PairTask) -> dict[str, Any]:
    best = load_trained(trainer.run.path).to(task.device)
    results: dict[str, Any] = {}
    also: dict[str, Any] = {}
    for split, dataset in task.corpus.sets.items():
        if split != "train":
            place = results if split in ("dev", "test") else also
            place[split] = _score(best, dataset)
            logger.info(_summary(split, place[split]))
    if also:
        results["also"] = also
    return write_results(trainer, best.model, task.configuration.form, results)


def _score(best: TrainedModel, dataset: PairDataset) -> dict[str, Any]:
    """Return the figures of labels on a set, and of trees if the encoder has them."""
    source = best.tree_source()
    return all_scores(evaluate_trained(best, dataset, source), dataset, source, Conventions())


def _summary(split: str, scores: dict[str, Any]) -> str:
    """Return the figures of a split as a line of text."""
    line = (
        f"{split}: accuracy {100 * scores['accuracy']:.2f}% "
        f"(majority class {100 * scores['majority']:.2f}%), loss {scores['loss']:.4f}"
    )
    trees = scores.get("trees")
    if trees is None:
        return line
    shapes = ", ".join(f"{100 * f1:.1f} with {name}" for name, f1 in trees["shapes"].items())
    gold = f"{100 * trees['gold']['f1']:.1f} with gold, " if "gold" in trees else ""
    return f"{line}; F1 of its trees {gold}{shapes}"
