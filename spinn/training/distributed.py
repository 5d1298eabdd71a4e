"""Training one model in several processes started by ``torchrun``.

Each process (rank) holds the whole model and reads its part of every batch. A step of all processes
together equals the step of a single process, by four means: the data (:mod:`spinn.data.batching`,
:mod:`spinn.data.streams`, :mod:`spinn.data.fragments.dataset`) split the batches,
:func:`spinn.ops.allreduce.part_of_mean` divides sums by the size of the whole batch, batch
normalisation uses the rows of all processes (:mod:`spinn.model.norm`), and torch's
DistributedDataParallel averages gradients.

Rank 0 logs, saves and evaluates; the others receive its results (:func:`on_first`). Work that may
fail in one process only is wrapped in :func:`together`, which raises the error in all processes;
otherwise the others would wait for a process that has stopped. In a single process these functions
do not communicate.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from spinn.ops.allreduce import all_sum
from spinn.ops.allreduce import world_size as world_size
from spinn.support.errors import ConfigurationError, SpinnError, of_system
from spinn.support.logs import print_message

T = TypeVar("T")
_STEP = timedelta(minutes=10)  # longest wait for another process in a step
_WORK = timedelta(minutes=30)  # longest wait while rank 0 reads a corpus, or evaluates
_ANSWER = timedelta(seconds=10)  # longest wait for the others after an error of communication


# Processes.


def rank() -> int:
    """Return the rank of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def is_first() -> bool:
    """Return whether this is rank 0, which logs, saves and evaluates."""
    return rank() == 0


def local_rank() -> int:
    """Return the rank of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", rank())) if world_size() > 1 else 0


def local_world_size() -> int:
    """Return the number of processes on this machine."""
    if world_size() == 1:
        return 1
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


@contextmanager
def joined() -> Iterator[None]:
    """Join the process group of ``torchrun``, and leave it when all processes do.

    Output of processes other than rank 0 is discarded within the block.

    Raises
    ------
    SpinnError
        If the process group cannot be initialised, or another process has ended or hangs.

    """
    # DistributedDataParallel imports this module. If it is first imported with an initialised
    # group, it keeps a reference to the group, whose threads may abort the process at exit.
    import torch._dynamo

    on_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    try:
        store, own, count = next(rendezvous("env://", timeout=_STEP))
        backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
        distributed.init_process_group(
            backend, store=store, rank=own, world_size=count, timeout=_STEP
        )
    except (ValueError, RuntimeError) as error:
        raise SpinnError(
            f"The processes cannot connect to each other ({error}). Start them with torchrun."
        ) from error
    try:
        with _silent_unless_first():
            try:
                yield
            except SystemExit:  # from the argument parser, in all processes
                any_true(False)
                raise
            # When a process exits, torchrun stops the others, perhaps before their last output.
            any_true(False)
    except RuntimeError as error:
        if "gloo" not in str(error) and not isinstance(error, distributed.DistError):
            raise
        raise _lost(_silent_ranks(store), error) from error
    finally:
        gc.collect()  # a wrapped model also keeps a reference to the group
        distributed.destroy_process_group()


def _silent_ranks(store: Any) -> list[int]:
    """Return the ranks that do not answer; all others must call this, too."""
    answered: set[int] = set()

    def listen() -> None:
        store.set(f"answer/{rank()}", "")
        while len(answered) < world_size() and time.monotonic() < end:
            answered.update(r for r in range(world_size()) if store.check([f"answer/{r}"]))
            time.sleep(0.1)

    end = time.monotonic() + _ANSWER.total_seconds()
    thread = threading.Thread(target=listen, daemon=True)  # the store may block it for ever
    thread.start()
    thread.join(_ANSWER.total_seconds() + 1.0)
    if rank() not in answered:
        return [0]  # which keeps the store, unless torchrun does
    return [other for other in range(world_size()) if other not in answered]


def _lost(silent: list[int], error: RuntimeError) -> SpinnError:
    """Return the error of processes that do not answer; print it if rank 0 cannot."""
    names = ", ".join(map(str, silent))
    cause = f"Rank {names} does not answer; it has ended or hangs"
    if not silent:
        cause = f"The processes cannot reach each other ({str(error).splitlines()[0]})"
    message = f"{cause}. Stop all processes, and continue with --resume and the folder of the run."
    if 0 in silent:
        print_message(f"spinn: {message}")
    return SpinnError(message)


@contextmanager
def _patient() -> Iterator[None]:
    """Wait longer for other processes within the block."""
    backend = distributed.distributed_c10d._get_default_group()._get_backend(torch.device("cpu"))
    before = backend.options._timeout
    distributed.distributed_c10d._set_pg_timeout(max(before, _WORK))
    try:
        yield
    finally:
        distributed.distributed_c10d._set_pg_timeout(before)


@contextmanager
def _silent_unless_first() -> Iterator[None]:
    if is_first():
        yield
        return
    with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):
        yield


@contextmanager
def logging_in_first() -> Iterator[None]:
    """Discard the package's messages in ranks other than 0 within the block."""
    logger = logging.getLogger("spinn")
    before = logger.level
    logger.setLevel(before if is_first() else logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def own_device(device: torch.device) -> torch.device:
    """Return the device of this process: a separate GPU for each one if the device is ``cuda``.

    Raises
    ------
    ConfigurationError
        If there are fewer GPUs than processes, or the device is a single GPU.

    """
    if world_size() == 1 or device.type != "cuda":
        return device
    if device.index is not None:
        raise ConfigurationError(
            f"--device {device} would put all processes on one GPU; give --device cuda."
        )
    if local_world_size() > torch.cuda.device_count():
        raise ConfigurationError(
            f"There are {local_world_size()} processes and {torch.cuda.device_count()} GPUs on "
            "this machine; start as many processes as GPUs, or give --device cpu."
        )
    gpu = torch.device("cuda", local_rank())
    torch.cuda.set_device(gpu)
    return gpu


# Work in rank 0, or in all processes.


def on_first(act: Callable[[], T]) -> T:
    """Call ``act`` in rank 0; return its result in all processes.

    Raises
    ------
    SpinnError
        In all processes, if the call raises one or an :class:`OSError`.

    """
    if world_size() == 1:
        return act()
    outcome: list[Any] = [None, None]
    if is_first():
        try:
            outcome[0] = _call(act)
        except SpinnError as error:
            distributed.broadcast_object_list([None, str(error)], device=torch.device("cpu"))
            raise
    with _patient():
        distributed.broadcast_object_list(outcome, device=torch.device("cpu"))
    if outcome[1] is not None:
        raise SpinnError(outcome[1])
    return cast(T, outcome[0])


def _call(act: Callable[[], T]) -> T:
    """Call ``act``; convert an :class:`OSError` to a :class:`SpinnError`."""
    try:
        return act()
    except OSError as error:
        raise of_system(error) from error


def together(act: Callable[[], T]) -> T:
    """Call ``act`` in every process.

    Raises
    ------
    SpinnError
        In all processes, if the call raises one or an :class:`OSError` in any of them.

    """
    if world_size() == 1:
        return act()
    result, error = None, None
    try:
        result = _call(act)
    except SpinnError as raised:
        error = raised
    errors: list[str | None] = [None] * world_size()
    with _patient():
        distributed.all_gather_object(errors, None if error is None else str(error))
    if error is not None:
        raise error
    for message in errors:
        if message is not None:
            raise SpinnError(message)
    return cast(T, result)


def in_turn(act: Callable[[], T]) -> T:
    """Call ``act`` in one process per machine, which may fill a cache, then in the others.

    Raises
    ------
    SpinnError
        See :func:`together`.

    """
    first = together(lambda: act() if local_rank() == 0 else None)
    others = together(lambda: act() if local_rank() > 0 else None)
    return cast(T, first if local_rank() == 0 else others)


def any_true(flag: bool) -> bool:
    """Return whether the flag is true in any process; synchronises all processes."""
    return bool(all_sum(torch.tensor(float(flag))) > 0)


# Sums and means.


def totals(parts: Mapping[str, Tensor], device: torch.device) -> dict[str, float]:
    """Sum scalars over all processes, which must have the same keys in the same order."""
    values = [part.to(device, torch.float64) for part in parts.values()]
    return dict(zip(parts, all_sum(torch.stack(values)).tolist(), strict=True))


# Gradients and random numbers.


def summed(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Sum gradients over processes whose losses are parts of one loss.

    The results are separate tensors, which can be scaled in place. Gradients of autograd need not
    be: those of the two terms of a sum are one tensor.
    """
    if world_size() == 1:
        return [gradient.clone() for gradient in gradients]
    flat = all_sum(torch.cat([gradient.flatten() for gradient in gradients]))
    sizes = [gradient.numel() for gradient in gradients]
    parts = zip(flat.split(sizes), gradients, strict=True)
    return [part.view_as(gradient) for part, gradient in parts]


def data_parallel(step: nn.Module) -> nn.Module:
    """Wrap a module so that backward passes average gradients over processes.

    Every weight must get a gradient in every process.
    """
    if world_size() == 1:
        return step
    # A single bucket, reduced after the last gradient is computed: the backward pass of batch
    # normalisation communicates too, and all processes must do so in the same order.
    size = sum(weight.numel() * weight.element_size() for weight in step.parameters())
    with warnings.catch_warnings():
        # Newer versions of torch rename an argument; older ones accept this name only.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(
            step, broadcast_buffers=False, bucket_cap_mb=1 + size // 2**20
        )


def seed_step(seed: int, step: int) -> None:
    """Seed the random generator for a step, in processes other than rank 0.

    Rank 0 continues its generator like a single process; checkpoints contain its state. The other
    processes need no saved state: their random numbers depend on seed, step and rank only.
    """
    if not is_first():
        words = np.random.SeedSequence([seed, rank(), step]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]))
