"""The options of the training loop: batches, epochs, and what is written of a run."""

from __future__ import annotations

from dataclasses import dataclass

from spinn.data.batching import DEFAULT_POOL_BATCHES
from spinn.support.options import Condition, Group, option

LARGEST_SEED = 2**64 - 1  # of torch's generators
PLACE = ("device", "threads")  # options that determine where a run is computed, not what it is


@dataclass(frozen=True)
class LoopOptions:
    """Epochs, the machine, and what is written of a run: options of every task."""

    epochs: int = option(8, "passes over the training set", minimum=1)
    clip: float = option(5.0, "largest norm of the gradient; 0 for no limit", minimum=0)
    patience: int = option(
        0, "epochs without a better result on dev before stopping; 0 for never", minimum=0
    )
    seed: int = option(1, "seed of everything random", minimum=0, maximum=LARGEST_SEED)
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    precision: str = option(
        "fp32",
        "arithmetic of the matrix products; auto for bf16 where the machine has units for it",
        choices=("auto", "fp32", "bf16"),
    )
    threads: int = option(
        0, "processor threads; 0 for as many as there are cores", minimum=0, maximum=1024
    )
    log_steps: int = option(50, "steps between lines of the metrics file", minimum=1)
    checkpoint_steps: int = option(
        0, "steps between checkpoints, besides one an epoch; 0 for none", minimum=0
    )
    tensorboard: bool = option(True, "write TensorBoard logs")


@dataclass(frozen=True)
class TrainingOptions(LoopOptions):
    """Batches, epochs, and what is written of a run."""

    batch_size: int = option(
        128,
        "pairs or single sentences in a batch",
        minimum=1,
        when=Condition(
            lambda values: values["token_budget"] is None, "--token-budget sizes the batches"
        ),
    )
    token_budget: int | None = option(
        None, "words (with padding) in a batch, instead of a number of examples", minimum=1
    )
    max_words: int | None = option(
        None, "examples with a sentence of more words are left out of training", minimum=1
    )
    pool_batches: int = option(
        DEFAULT_POOL_BATCHES,
        "batches whose examples are sorted by length together; 1 for batches drawn at random",
        minimum=1,
    )
    label_smoothing: float = option(0.0, "label smoothing", minimum=0, maximum=0.9)


TRAINING_GROUP = Group("training", TrainingOptions)
