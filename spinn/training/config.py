"""The configuration of a run: every option there is, in five groups, checked in one place.

Flags, configuration files and presets all end here. A configuration file (TOML or JSON) has the
options flat or under their groups' names; what is given later wins: preset, file, flags.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from spinn import extensions
from spinn.data.batching import DEFAULT_POOL_BATCHES, Curriculum
from spinn.data.find import named
from spinn.data.options import CorpusOptions
from spinn.errors import ConfigurationError, DataError
from spinn.model.build import ModelOptions
from spinn.options import check_ranges, flag_of, option
from spinn.training.objectives.label import GumbelOptions
from spinn.training.objectives.ppo import PPOOptions
from spinn.training.objectives.reinforce import ReinforceOptions
from spinn.training.objectives.teacher import TeacherOptions
from spinn.trees import GUMBEL_TREES, TREE_SOURCES, TreeSource, tree_source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLACE = ("device", "threads")  # options that say where a run is computed, not what it is
GIVEN_TREES = tuple(name for name, source in TREE_SOURCES.items() if source.draw is not None)


@dataclass(frozen=True)
class TreeOptions:
    """Where trees come from, and how a model learns to make its own."""

    trees: str | None = option(
        None,
        "where transitions come from (default: gold)",
        choices=tuple(TREE_SOURCES),
        needs="spinn",
    )
    teacher: str = option(
        "gold",
        "the trees that --predict learns from and that --rl starts from",
        choices=GIVEN_TREES,
        needs="teacher",
    )
    transition_weight: float = option(
        1.0, "weight of the transition loss", minimum=0, needs="teacher"
    )
    transition_weight_end: float | None = option(
        None, "weight at the end of training (default: the same)", minimum=0, needs="predict"
    )
    scheduled_sampling: float = option(
        0.0,
        "share of steps that follow the tracker at the end of training, rising from 0",
        minimum=0,
        maximum=1,
        needs="predict",
    )
    temperature: float = option(
        1.0, "temperature of the Gumbel-softmax that merges go by", minimum=0.01, needs="gumbel"
    )
    temperature_end: float | None = option(
        None, "temperature at the end of training (default: the same)", minimum=0.01, needs="gumbel"
    )


@dataclass(frozen=True)
class PolicyOptions:
    """Learning transitions by REINFORCE or PPO."""

    reward: str = option(
        "loss", "what a sampled tree earns", choices=("loss", "correct"), needs="rl"
    )
    baseline: str = option(
        "greedy",
        "what a reward is measured against",
        choices=("none", "mean", "greedy", "leave-one-out", "value"),
        needs="rl",
    )
    samples: int = option(1, "trees sampled for each sentence", minimum=1, needs="rl")
    policy_weight: float = option(1.0, "weight of the policy loss", minimum=0, needs="rl")
    policy_updates: int = option(
        1,
        "updates of the policy with each batch's trees; 1 for REINFORCE, more for PPO",
        minimum=1,
        needs="rl",
    )
    policy_clip: float = option(
        0.2,
        "how far PPO lets the probability of a tree move, as a share of what it was",
        minimum=0,
        needs="ppo",
    )
    policy_learning_rate: float | None = option(
        None,
        "learning rate of the tracker, or of the parser (default: that of the model)",
        minimum=0,
        needs="rl",
    )
    policy_epochs: int | None = option(
        None,
        "epochs after which the parser is kept as it is, and its most probable trees are followed "
        "(default: it learns to the end)",
        minimum=1,
        needs="rl of a parser",
    )
    entropy_weight: float = option(0.02, "weight of the entropy bonus", minimum=0, needs="rl")
    entropy_weight_end: float = option(
        0.0, "entropy weight at the end of training", minimum=0, needs="rl"
    )
    entropy_epochs: int | None = option(
        None,
        "epochs of policy learning after which it is at its end (default: all of them)",
        minimum=1,
        needs="entropy epochs",
    )
    warm_start: float = option(
        0.0, "epochs in which the teacher's trees are followed first", minimum=0, needs="rl"
    )


@dataclass(frozen=True)
class TrainingOptions:
    """Optimisation, and what is kept of a run."""

    epochs: int = option(8, "passes over the training set", minimum=1)
    batch_size: int = option(128, "pairs or single sentences in a batch", minimum=1, needs="pairs")
    token_budget: int | None = option(
        None, "words (with padding) in a batch, instead of a number of examples", minimum=1
    )
    max_words: int | None = option(
        None, "examples with a sentence of more words are left out of training", minimum=1
    )
    curriculum: float = option(
        1.0,
        "share of the training set, its shortest examples, that the first epoch reads, and every "
        "epoch of a warm start",
        minimum=0.01,
        maximum=1,
    )
    curriculum_epochs: int = option(
        4,
        "epochs in which the rest of the training set then joins, the longest examples last",
        minimum=1,
        needs="curriculum",
    )
    symmetries: bool = option(
        False,
        "read each pair of logic in a form drawn anew: variables renamed, sides exchanged or not",
    )
    pool_batches: int = option(
        DEFAULT_POOL_BATCHES,
        "batches whose examples are sorted by length together; 1 for batches drawn at random",
        minimum=1,
    )
    optimizer: str = option("adamw", "optimiser", choices=("rmsprop", "adam", "adamw", "sgd"))
    learning_rate: float = option(3e-3, "peak learning rate", minimum=0)
    momentum: float = option(0.9, "momentum of SGD", minimum=0, maximum=0.9999, needs="sgd")
    weight_decay: float = option(0.0, "decay of weights (L2 penalty unless adamw)", minimum=0)
    schedule: str = option(
        "cosine",
        "how the learning rate moves",
        choices=("constant", "step", "exponential", "plateau", "cosine"),
    )
    warmup: float = option(
        0.1, "share of all steps in which the rate rises", minimum=0, maximum=0.9, needs="cosine"
    )
    decay: float = option(
        0.75, "factor of the rate at each decay", minimum=0, maximum=1, needs="decay"
    )
    decay_steps: int = option(10_000, "steps between decays", minimum=1, needs="decay steps")
    clip: float = option(5.0, "largest norm of the gradient; 0 for no limit", minimum=0)
    label_smoothing: float = option(0.0, "label smoothing", minimum=0, maximum=0.9)
    patience: int = option(
        0, "epochs without a better dev accuracy before stopping; 0 for never", minimum=0
    )
    seed: int = option(1, "seed of everything random", minimum=0)
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    precision: str = option(
        "fp32",
        "arithmetic of the matrix products; auto for bf16 where the machine has units for it",
        choices=("auto", "fp32", "bf16"),
    )
    engine: str = option(
        "auto",
        "how trees are composed: auto for the fastest way, reference for the plain one",
        choices=("auto", "reference"),
        needs="spinn",
    )
    threads: int = option(0, "processor threads; 0 for as many as there are cores", minimum=0)
    log_steps: int = option(50, "steps between lines of the metrics file", minimum=1)
    checkpoint_steps: int = option(
        0, "steps between checkpoints, besides one an epoch; 0 for none", minimum=0
    )
    tensorboard: bool = option(True, "write TensorBoard logs")

    @property
    def batch_transform(self) -> str | None:
        """Name of the registered transform of training batches, if any."""
        return "symmetries" if self.symmetries else None


@dataclass(frozen=True)
class Configuration:
    """All options of a run.

    Raises
    ------
    ConfigurationError
        If a value is out of range, or two of them do not go together.

    """

    data: CorpusOptions = field(default_factory=CorpusOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    trees: TreeOptions = field(default_factory=TreeOptions)
    policy: PolicyOptions = field(default_factory=PolicyOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def __post_init__(self) -> None:
        extensions.load()  # options refer to them by name
        for group in self.groups().values():
            check_ranges(group)
        _ = self.data.further  # refuses what is no further test set
        if self.predicts and not _has_tracker(self.model):
            flag = "--rl" if _samples(self) else "--predict"
            raise ConfigurationError(
                f"{flag} needs a tracker to choose transitions; add --tracker, or --parser own."
            )
        if self.model.encoder == "bilstm" and self.model.hidden_size < 2:
            raise ConfigurationError("--encoder bilstm halves --hidden-size; give 2 or more.")
        if self.model.encoder in ("lstm", "bilstm") and self.model.pooling == "max-all":
            raise ConfigurationError(
                "An LSTM has states of words and no phrases; --pooling max is over all of them."
            )
        norms = (self.model.leaf_norm, self.model.classifier_norm)
        if self.training.batch_size == 1 and "batch" in norms:
            raise ConfigurationError(
                "Batch normalisation has nothing to go by in a batch of one; "
                "give --batch-size 2 or more, or another norm."
            )
        drops = self.model.composition_dropout > 0 and self.model.parser == "shared"
        if self.policy.policy_updates > 1 and drops:
            raise ConfigurationError(
                "--policy-updates compares what a policy thinks of a tree before and after, and "
                "--composition-dropout would change that by itself; give --parser own, which "
                "drops nothing, or leave one of the two out."
            )
        if self.policy.baseline == "leave-one-out" and self.policy.samples < 2:
            raise ConfigurationError(
                "--baseline leave-one-out compares samples of a sentence; give --samples 2 or more."
            )
        self._check_policy_epochs()
        if self.curriculum is not None and self.curriculum.epochs >= self.training.epochs:
            raise ConfigurationError(
                "The longest examples would never be read: they join after "
                f"{self.curriculum.epochs} epochs of {self.training.epochs}. Give more --epochs or "
                "fewer --curriculum-epochs, or leave them out with --max-words."
            )

    def _check_policy_epochs(self) -> None:
        learning = self.policy.policy_epochs
        if learning is None:
            return
        if self.training.symmetries:
            raise ConfigurationError(
                "--policy-epochs finds the trees of the training set once, of the formulas as they "
                "stand, and --symmetries reads them in other forms; leave one of the two out."
            )
        if learning >= self.training.epochs:
            raise ConfigurationError(
                f"The parser would never be kept as it is: it learns for {learning} epochs of "
                f"{self.training.epochs}. Give more --epochs, or leave --policy-epochs out."
            )
        if learning <= self.policy.warm_start:
            raise ConfigurationError(
                f"The policy would never learn: the warm start takes {self.policy.warm_start:g} "
                f"epochs, and all is over after {learning}. Give more --policy-epochs."
            )

    @property
    def place(self) -> dict[str, Any]:
        """The options that say where the run is computed."""
        return {name: getattr(self.training, name) for name in PLACE}

    def moved(self, place: Mapping[str, Any]) -> Configuration:
        """Return the same run computed elsewhere, by some of the options of :data:`PLACE`."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, **place))

    def with_corpus_named(self, say: Callable[[str], None] = lambda line: None) -> Configuration:
        """Return the same run with its corpus named, also where it is the default."""
        return dataclasses.replace(self, data=named(self.data, say))

    def groups(self) -> dict[str, Any]:
        """Return the groups by name."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}

    @property
    def source(self) -> TreeSource | None:
        """Where transitions come from; ``None`` for encoders that have none."""
        if self.model.encoder == "gumbel":
            return GUMBEL_TREES
        if self.model.encoder != "spinn":
            return None
        return tree_source(self.trees.trees or "gold")

    @property
    def teacher(self) -> TreeSource | None:
        """Whose trees a tracker learns from, if it does."""
        if self.source is None or not self.source.needs_tracker:
            return None
        if self.source.sampled and self.policy.warm_start == 0:
            return None
        return tree_source(self.trees.teacher)

    @property
    def curriculum(self) -> Curriculum | None:
        """Which examples the first epochs read; it waits for the end of a warm start."""
        options = self.training
        if options.curriculum == 1:
            return None
        held = math.ceil(self.policy.warm_start) if _samples(self) else 0
        return Curriculum(options.curriculum, held, options.curriculum_epochs)

    @property
    def reinforce(self) -> ReinforceOptions | None:
        """Options of REINFORCE, where transitions are sampled."""
        if not _samples(self):
            return None
        names = [part.name for part in dataclasses.fields(ReinforceOptions)]
        return ReinforceOptions(**{name: getattr(self.policy, name) for name in names})

    @property
    def ppo(self) -> PPOOptions | None:
        """Options of PPO, where a policy is updated several times with the same trees."""
        if not _samples(self) or self.policy.policy_updates == 1:
            return None
        return PPOOptions(self.policy.policy_updates, self.policy.policy_clip)

    @property
    def teaching(self) -> TeacherOptions:
        """Options of learning from a teacher."""
        names = [part.name for part in dataclasses.fields(TeacherOptions)]
        return TeacherOptions(**{name: getattr(self.trees, name) for name in names})

    @property
    def gumbel(self) -> GumbelOptions | None:
        """Options of the Gumbel-softmax, for the encoder that draws merges."""
        if self.model.encoder != "gumbel":
            return None
        return GumbelOptions(self.trees.temperature, self.trees.temperature_end)

    @property
    def warm_start(self) -> float:
        """Epochs of policy learning that follow the teacher's trees first."""
        return self.policy.warm_start if _samples(self) else 0.0

    def follows_own_trees(self, epoch: float) -> bool:
        """Tell whether, so far into training, a parser that has learned gives the trees."""
        learning = self.policy.policy_epochs
        return learning is not None and epoch >= learning

    @property
    def predicts(self) -> bool:
        """Whether the tracker, or a parser, scores transitions."""
        return self.source is not None and self.source.needs_tracker

    @property
    def form(self) -> str:
        """The published name of what this configuration trains."""
        if self.source is None or self.model.encoder != "spinn":
            return _OTHER_FORMS[self.model.encoder]
        if self.source.needs_tracker:
            return "RL-SPINN" if self.source.sampled else "SPINN"
        return "SPINN-PI" if self.model.tracker else "SPINN-PI-NT"

    def refuse_idle(self) -> None:
        """Raise :class:`ConfigurationError` at an option that is set and would do nothing."""
        for group in self.groups().values():
            for part in self._idle(group):
                if getattr(group, part.name) != _default(part):
                    remedy = _CONDITIONS[part.metadata["needs"]][1]
                    raise ConfigurationError(f"{flag_of(part.name)} does nothing here; {remedy}.")
        if _samples(self) and self.policy.warm_start >= self.training.epochs:
            raise ConfigurationError(
                f"The policy would never learn: the warm start takes {self.policy.warm_start:g} "
                f"epochs of {self.training.epochs}. Give more --epochs."
            )

    def _idle(self, group: Any) -> list[Any]:
        """List the options of a group that do nothing in this configuration."""
        return [
            part
            for part in dataclasses.fields(group)
            if part.metadata["needs"] is not None
            and not _CONDITIONS[part.metadata["needs"]][0](self)
        ]

    def without_idle(self) -> Configuration:
        """Return the same run with all options that do nothing in it at their defaults."""
        groups = {
            name: dataclasses.replace(
                group, **{part.name: _default(part) for part in self._idle(group)}
            )
            for name, group in self.groups().items()
        }
        return Configuration(**groups)

    def idle_with_vectors(self, given: bool) -> str | None:
        """Name the first option that does nothing where vectors are given, or where none are."""
        idle = ("no vectors",) if given else ("vectors", "fixed vectors")
        for part in dataclasses.fields(self.model):
            if part.metadata["needs"] in idle and getattr(self.model, part.name) != part.default:
                return flag_of(part.name)
        return None

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Describe the configuration for JSON."""
        return {name: dataclasses.asdict(group) for name, group in self.groups().items()}

    @classmethod
    def of_dict(cls, described: Mapping[str, Mapping[str, Any]]) -> Configuration:
        """Make the configuration of a description by :meth:`as_dict`; what it lacks is default."""
        return cls(**{name: GROUPS[name](**values) for name, values in described.items()})


_OTHER_FORMS = {
    "gumbel": "Gumbel Tree-LSTM",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "bow": "bag of words",
}


# What an option may need, and what to do where that does not hold.
_CONDITIONS: dict[str, tuple[Callable[[Configuration], bool], str]] = {
    "spinn": (lambda c: c.model.encoder == "spinn", "it belongs to --encoder spinn"),
    "gumbel": (lambda c: c.model.encoder == "gumbel", "it belongs to --encoder gumbel"),
    "composition": (
        lambda c: c.model.encoder in ("spinn", "gumbel"),
        "it belongs to --encoder spinn and gumbel",
    ),
    "states": (lambda c: c.model.encoder != "bow", "--encoder bow adds words up"),
    "tracker": (lambda c: _has_tracker(c.model), "add --tracker"),
    "chosen trees": (lambda c: c.predicts, "it belongs to --predict and --rl"),
    "parser": (lambda c: c.predicts and c.model.parser == "own", "it belongs to --parser own"),
    "texts": (lambda c: c.data.prepared is None, "the corpus is prepared already"),
    # A prepared corpus may have vectors or not; that is seen when it is loaded.
    "no vectors": (lambda c: c.data.vectors is None, "--vectors sets the width"),
    "vectors": (
        lambda c: c.data.vectors is not None or c.data.prepared is not None,
        "it belongs to --vectors",
    ),
    "vector file": (lambda c: c.data.vectors is not None, "it belongs to --vectors"),
    "fixed vectors": (
        lambda c: c.model.embeddings == "fixed",
        "it belongs to --vectors with --embeddings fixed",
    ),
    "classifier layers": (
        lambda c: c.model.classifier_layers > 0,
        "the classifier has no hidden layers",
    ),
    "pairs": (lambda c: c.training.token_budget is None, "--token-budget sizes the batches"),
    "curriculum": (lambda c: c.training.curriculum < 1, "it belongs to --curriculum"),
    "predict": (lambda c: c.predicts and not _samples(c), "it belongs to --predict"),
    "teacher": (lambda c: c.teacher is not None, "it belongs to --predict, or --rl --warm-start"),
    "rl": (lambda c: _samples(c), "it belongs to --rl"),
    "rl of a parser": (
        lambda c: _samples(c) and c.model.parser == "own",
        "it belongs to --rl with --parser own",
    ),
    "entropy epochs": (
        lambda c: _samples(c) and c.policy.entropy_weight != c.policy.entropy_weight_end,
        "it belongs to --rl with an --entropy-weight-end that differs from --entropy-weight",
    ),
    "ppo": (
        lambda c: _samples(c) and c.policy.policy_updates > 1,
        "it belongs to --rl with --policy-updates 2 or more",
    ),
    "sgd": (lambda c: c.training.optimizer == "sgd", "it belongs to --optimizer sgd"),
    "cosine": (lambda c: c.training.schedule == "cosine", "it belongs to --schedule cosine"),
    "decay": (
        lambda c: c.training.schedule in ("step", "exponential", "plateau"),
        "it belongs to --schedule step, exponential or plateau",
    ),
    "decay steps": (
        lambda c: c.training.schedule in ("step", "exponential"),
        "it belongs to --schedule step or exponential",
    ),
}


def _default(part: Any) -> Any:
    """Return the default of an option, from the field of its group."""
    return part.default if part.default_factory is dataclasses.MISSING else part.default_factory()


def _has_tracker(model: ModelOptions) -> bool:
    return model.tracker or model.parser == "own"


def _samples(configuration: Configuration) -> bool:
    return configuration.source is not None and configuration.source.sampled


GROUPS: dict[str, type] = {
    "data": CorpusOptions,
    "model": ModelOptions,
    "trees": TreeOptions,
    "policy": PolicyOptions,
    "training": TrainingOptions,
}


def option_groups() -> dict[str, str]:
    """Map every option's name to its group's; names are unique across groups."""
    return {part.name: name for name, group in GROUPS.items() for part in dataclasses.fields(group)}


def resolve(*layers: Mapping[str, Any]) -> Configuration:
    """Build a configuration from flat mappings of options, later ones on top.

    Raises
    ------
    ConfigurationError
        If an option is unknown, has a value of the wrong type, or would do nothing.

    """
    configuration = _assemble(*layers)
    configuration.refuse_idle()
    return configuration


def _assemble(*layers: Mapping[str, Any]) -> Configuration:
    groups = option_groups()
    values: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
    for layer in layers:
        for name, value in layer.items():
            if name not in groups:
                raise ConfigurationError(f"There is no option called {name!r}.")
            values[groups[name]][name] = _typed(GROUPS[groups[name]], name, value)
    return Configuration(**{name: GROUPS[name](**given) for name, given in values.items()})


def _typed(group: Any, name: str, value: Any) -> Any:
    """Check a value against the declared type of its option."""
    declared = next(str(part.type) for part in dataclasses.fields(group) if part.name == name)
    accepted: dict[str, Any] = {
        "bool": (bool,),
        "int": (int,),
        "float": (float, int),
        "str": (str,),
        "list[str]": (list,),
    }
    base = declared.removesuffix(" | None")
    if value is None and base != declared:
        return None
    fits = isinstance(value, accepted[base]) and (base == "bool" or not isinstance(value, bool))
    if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
        raise ConfigurationError(f"The option {name} is {value!r}; it must be of type {base}.")
    result: Any = float(value) if base == "float" else value
    return result


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bring options that stand under their groups' names to the top."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            if name not in GROUPS:
                raise ConfigurationError(f"There is no group of options called {name!r}.")
            flat.update(value)
        else:
            flat[name] = value
    return flat


def read_file(path: Path) -> dict[str, Any]:
    """Read options from a TOML or JSON file.

    Raises
    ------
    DataError
        If the file is missing or is neither.

    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        cause = "there is no such configuration file"
        raise DataError(path, cause, remedy="Check the path given") from error
    except ValueError as error:
        remedy = "Mend the line, or see the presets for examples"
        raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error
    if not isinstance(values, dict):
        raise DataError(path, "it holds no options", remedy="Write one option a line")
    return flatten(values)


def preset_names() -> list[str]:
    """List the named configurations that come with the package."""
    folder = resources.files("spinn") / "presets"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def read_preset(name: str) -> dict[str, Any]:
    """Read a named configuration.

    Raises
    ------
    ConfigurationError
        If there is none of this name.

    """
    if name not in preset_names():
        known = ", ".join(preset_names())
        raise ConfigurationError(f"There is no preset called {name!r}; choose from {known}.")
    text = (resources.files("spinn") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return flatten(tomllib.loads(text))


def load_configuration(path: Path) -> Configuration:
    """Read the configuration saved with a run.

    It has every option written out, also those that do nothing in it, at the defaults of the
    version that wrote it; so none is refused for being idle.
    """
    return _assemble(read_file(path))
