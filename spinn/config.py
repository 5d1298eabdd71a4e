"""The configuration of a run, assembled from the groups of options of all parts of the package.

Each group is declared beside the code it configures. A configuration has the groups that its
options imply (``--tracker`` brings ``[tracker]``, ``--schedule cosine`` the options of that
schedule); an absent group is ``None``. Extensions register further groups, which are in
:attr:`Configuration.guests`. Options are given flat, by name, in layers (preset, file,
flags), of which later ones take precedence. :mod:`spinn.config_files` reads and writes files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinn import extensions
from spinn.data.batching import CurriculumOptions
from spinn.data.find import named
from spinn.data.options import DATA_FILES, CorpusOptions, VectorOptions
from spinn.data.spacy_parser import SpacyParser, pipeline_of
from spinn.data.transforms import BatchTransformOptions, VectorSourceOptions
from spinn.learning.objectives.build import build_objective
from spinn.learning.objectives.label import GumbelOptions, Objective
from spinn.learning.objectives.next_word import NextWordLoss, NextWordOptions
from spinn.learning.objectives.ppo import PPOOptions
from spinn.learning.objectives.reinforce import ReinforceOptions
from spinn.learning.objectives.teacher import TeacherOptions
from spinn.learning.optimizers import AdamW, OptimizerOptions
from spinn.learning.options import PLACE, TrainingOptions
from spinn.learning.schedules import Cosine, Schedule
from spinn.learning.transfer import TransferOptions
from spinn.model.build import (
    EmbeddingOptions,
    ModelOptions,
    PretrainedOptions,
    SPINNOptions,
    build_model,
)
from spinn.model.cells import CompositionOptions
from spinn.model.leaves import WordEmbedding
from spinn.model.pair import PairModel
from spinn.model.parser import PARSER_GROUP, ParserOptions
from spinn.model.tracker import TrackerOptions
from spinn.option_groups import GROUPS, all_groups, checked, defaults, flatten
from spinn.support.errors import ConfigurationError
from spinn.support.options import GUEST_GROUPS, check_ranges, flag_of
from spinn.trees import TreeOptions, TreeSource, source_of, tree_source

WRITTEN = ("tensorboard", "log_steps", "checkpoint_steps")  # what is written of it meanwhile
DATA_PLACE = (*DATA_FILES, "vectors")  # and where its data are

# Options of earlier versions, with the value at which they had no effect.
_REMOVED = {
    "balance_labels": False,
    "average_forms": 1,
    "dropout_unit": "token",
    "warm_start": 0.0,
    "reward": "loss",
    "policy_weight": 1.0,
}
_REMOVED_VALUES = {"baseline": "value"}
_SHORT_FLAGS = {"--trees predicted": "--predict", "--trees sampled": "--rl"}
_OTHER_FORMS = {
    "gumbel": "Gumbel Tree-LSTM",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "bow": "bag of words",
}


@dataclass(frozen=True)
class Configuration:
    """All options of a run; :func:`resolve` makes one.

    Raises
    ------
    ConfigurationError
        If a value is out of range, or options are incompatible.

    """

    data: CorpusOptions = field(default_factory=CorpusOptions)
    vectors: VectorOptions | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    embedding: EmbeddingOptions | None = field(default_factory=EmbeddingOptions)
    pretrained: PretrainedOptions | None = None
    transfer: TransferOptions | None = None
    spinn: SPINNOptions | None = field(default_factory=SPINNOptions)
    tracker: TrackerOptions | None = None
    parser: ParserOptions | None = None
    composition: CompositionOptions | None = field(default_factory=CompositionOptions)
    gumbel: GumbelOptions | None = None
    trees: TreeOptions | None = field(default_factory=TreeOptions)
    teacher: TeacherOptions | None = None
    reinforce: ReinforceOptions | None = None
    ppo: PPOOptions | None = None
    next_word: NextWordOptions | None = None
    curriculum: CurriculumOptions | None = None
    optimizer: OptimizerOptions = field(default_factory=AdamW)
    schedule: Schedule = field(default_factory=Cosine)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    guests: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        extensions.load()  # their names are values of options
        for group in self.groups().values():
            check_ranges(group)
        check_compatible(self)

    def groups(self) -> dict[str, Any]:
        """Return the groups that are present, by name."""
        groups = {name: getattr(self, name) for name in GROUPS}
        return {name: group for name, group in groups.items() if group is not None} | self.guests

    @property
    def sentence_parser(self) -> SpacyParser | None:
        """The parser of sentences that have no tree in the data, if any."""
        pipeline = None if self.spinn is None else pipeline_of(self.spinn.parser)
        return None if pipeline is None else SpacyParser(pipeline)

    @property
    def batch_transform(self) -> BatchTransformOptions | None:
        """The extension that transforms batches of training, if any."""
        return _first(self.guests, BatchTransformOptions)

    @property
    def vector_source(self) -> VectorSourceOptions | None:
        """The extension that gives vectors to words without a pretrained one, if any."""
        return _first(self.guests, VectorSourceOptions)

    def values(self) -> dict[str, Any]:
        """Return all options by name, those of absent groups at their defaults."""
        given = {name: value for group in self.as_dict().values() for name, value in group.items()}
        return defaults() | given

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the groups that are present as dictionaries, by name."""
        return {name: dataclasses.asdict(group) for name, group in self.groups().items()}

    @classmethod
    def of_dict(cls, described: Mapping[str, Any], run: str = "The run") -> Configuration:
        """Return the configuration that :meth:`as_dict` of this or an earlier version describes.

        Options that are missing have their defaults. Options without effect are ignored: earlier
        versions wrote all options, at defaults that may have changed since.

        Parameters
        ----------
        described
            Options, flat or under the names of their groups.
        run
            Subject of the error message.

        Raises
        ------
        ConfigurationError
            If an option is unknown or has a value that is no longer possible.

        """
        given = flatten(described)
        for name, neutral in _REMOVED.items():
            if given.pop(name, neutral) != neutral:
                raise ConfigurationError(
                    f"{run} was trained with {flag_of(name)}, which this version no longer has."
                )
        for name, value in _REMOVED_VALUES.items():
            if given.get(name) == value:
                raise ConfigurationError(
                    f"{run} was trained with {flag_of(name)} {value}, which this version no longer "
                    "has."
                )
        return _assemble(defaults() | checked(given))

    @property
    def place(self) -> dict[str, Any]:
        """The options that determine where the run is computed."""
        return {name: getattr(self.training, name) for name in PLACE}

    def moved(self, place: Mapping[str, Any]) -> Configuration:
        """Return the same run, with other values of :data:`PLACE` and :data:`DATA_PLACE`."""
        vectors = self.vectors
        if "vectors" in place:
            if vectors is None:
                raise ConfigurationError("--vectors does nothing here: the run has no vectors.")
            vectors = dataclasses.replace(vectors, vectors=place["vectors"])
        computed = {name: value for name, value in place.items() if name in PLACE}
        training = dataclasses.replace(self.training, **computed)
        data = self.data.moved(place)
        return dataclasses.replace(self, data=data, vectors=vectors, training=training)

    def with_corpus_named(self) -> Configuration:
        """Return the same run with its corpus named, even if it is the default."""
        return dataclasses.replace(self, data=named(self.data))

    @property
    def source(self) -> TreeSource | None:
        """Where transitions come from; ``None`` for encoders without transitions."""
        return source_of(self.model.encoder, None if self.trees is None else self.trees.trees)

    @property
    def teacher_source(self) -> TreeSource | None:
        """Where the transitions come from that the policy is taught; ``None`` without a teacher."""
        return None if self.teacher is None else tree_source(self.teacher.teacher)

    @property
    def predicts(self) -> bool:
        """Whether the tracker, or a parser, scores transitions."""
        return self.source is not None and self.source.needs_tracker

    @property
    def form(self) -> str:
        """The published name of the model."""
        if self.spinn is None or self.source is None:
            return _OTHER_FORMS[self.model.encoder]
        if self.source.needs_tracker:
            return "RL-SPINN" if self.source.sampled else "SPINN"
        return "SPINN-PI" if self.spinn.tracker else "SPINN-PI-NT"

    def build_model(self, embedding: WordEmbedding, labels: int, sides: int = 2) -> PairModel:
        """Build the model; see :func:`spinn.model.build.build_model`."""
        return build_model(
            self.model,
            embedding,
            labels,
            predicts=self.predicts,
            spinn=self.spinn,
            composition=self.composition,
            tracker=self.tracker,
            parser=self.parser,
            sides=sides,
        )

    def build_objective(
        self, sides: int = 2, *, embedding_size: int = 0, words: int = 0
    ) -> Objective:
        """Build the objective; see :func:`spinn.learning.objectives.build.build_objective`.

        Parameters
        ----------
        sides
            Sentences that are classified together: 2, or 1.
        embedding_size, words
            Width of a word vector, and number of words of the training set, for ``next_word``.

        """
        next_word = None
        if self.next_word is not None:
            weight, width = self.next_word.language_weight, self.model.hidden_size
            next_word = NextWordLoss(weight, width, embedding_size, words)
        return build_objective(
            self.training.epochs,
            self.training.label_smoothing,
            teacher=self.teacher,
            reinforce=self.reinforce,
            ppo=self.ppo,
            gumbel=self.gumbel,
            next_word=next_word,
            sides=sides,
        )


def check_compatible(configuration: Configuration) -> None:
    """Check what the options of different groups require of each other.

    Raises
    ------
    ConfigurationError
        Naming the options, and what to give instead.

    """
    data, model, training = configuration.data, configuration.model, configuration.training
    reinforce, curriculum = configuration.reinforce, configuration.curriculum
    _ = data.further  # raises an error if an item does not name a further test set
    if configuration.predicts and configuration.tracker is None:
        flag = "--rl" if reinforce is not None else "--predict"
        raise ConfigurationError(
            f"{flag} needs a tracker to choose transitions; add --tracker, or --parser own."
        )
    if configuration.transfer is not None:
        if configuration.vectors is not None:
            raise ConfigurationError(
                "--vectors and --pretrained both give word vectors; leave one of the two out, or "
                "the --preset that has it."
            )
        configuration.transfer.check(model, training.epochs)
    spinn, composition = configuration.spinn, configuration.composition
    if spinn is not None and spinn.engine == "fixed":
        if configuration.tracker is None:
            raise ConfigurationError(
                "--engine fixed is for models with a tracker, others compose by height; add "
                "--tracker, or leave it out."
            )
        if spinn.tracker and composition is not None and composition.composition != "tree-lstm":
            raise ConfigurationError(
                "--engine fixed composes by tree-LSTMs; drop --composition or --engine fixed."
            )
    if model.encoder == "bilstm" and model.hidden_size < 2:
        raise ConfigurationError("--encoder bilstm halves --hidden-size; give 2 or more.")
    if model.encoder in ("lstm", "bilstm") and model.pooling == "max-all":
        raise ConfigurationError(
            "An LSTM has states of words and no phrases; --pooling max is over all of them."
        )
    if training.batch_size == 1 and "batch" in (model.leaf_norm, model.classifier_norm):
        raise ConfigurationError(
            "Batch normalisation requires more than one example in a batch; "
            "give --batch-size 2 or more, or another norm."
        )
    if configuration.ppo is not None and configuration.parser is None:
        assert configuration.composition is not None
        if configuration.composition.composition_dropout > 0:
            raise ConfigurationError(
                "--policy-updates compares the probabilities of a tree before and after, and "
                "--composition-dropout would change them by itself; give --parser own, which "
                "drops nothing, --composition-dropout 0, or --policy-updates 1."
            )
    if reinforce is not None and reinforce.baseline == "leave-one-out" and reinforce.samples < 2:
        raise ConfigurationError(
            "--baseline leave-one-out compares samples of a sentence; give --samples 2 or more."
        )
    if reinforce is not None and reinforce.policy_epochs > 0:
        if configuration.batch_transform is not None:
            raise ConfigurationError(
                "--policy-epochs finds the trees of the training set once, of the formulas as they "
                "are written, and this run reads them in other forms; give --policy-epochs 0, or "
                "drop the option that rewrites them."
            )
        if reinforce.policy_epochs >= training.epochs:
            raise ConfigurationError(
                f"The parser would never be frozen: it learns for {reinforce.policy_epochs} epochs "
                f"of {training.epochs}. Give more --epochs, fewer --policy-epochs, or 0 for never."
            )
    if curriculum is not None and curriculum.curriculum_epochs >= training.epochs:
        raise ConfigurationError(
            "The longest examples would never be read: they join after "
            f"{curriculum.curriculum_epochs} epochs of {training.epochs}. Give more --epochs or "
            "fewer --curriculum-epochs, or leave them out with --max-words."
        )


def resolve(*layers: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> Configuration:
    """Return the configuration of flat options, later layers taking precedence.

    Parameters
    ----------
    layers
        Options that were given, in files and by flags.
    base
        Options below them, of presets. Those without effect beside the layers are left out.

    Raises
    ------
    ConfigurationError
        If an option is unknown, has a value of the wrong type or out of range, or, in a layer,
        would have no effect.

    """
    groups = all_groups()
    values = groups.layered(base or {}, *layers)
    if PARSER_GROUP.is_present(values):
        values["tracker"] = False  # it is the parser's, which composes for itself
    configuration = _assemble(values)
    groups.refuse_idle(values, {name for layer in layers for name in layer}, _SHORT_FLAGS)
    return configuration


def _assemble(values: Mapping[str, Any]) -> Configuration:
    """Return the configuration with the groups that the values of all options imply."""
    own = {name: group.make(values) for name, group in GROUPS.items()}
    guests = {name: group.make(values) for name, group in GUEST_GROUPS.items()}
    present = {name: group for name, group in guests.items() if group is not None}
    return Configuration(**own, guests=present)


def _first(guests: Mapping[str, Any], kind: Any) -> Any:
    return next((guest for guest in guests.values() if isinstance(guest, kind)), None)
