"""How a run uses its machine: threads, device, arithmetic, modes, and signals to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from spinn.errors import ConfigurationError


def available_cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(count: int, *, processes: int = 1) -> None:
    """Use so many processor threads; 0 for this process's share of those that there are."""
    torch.set_num_threads(count or max(1, available_cores() // processes))
    # The first large two-threaded tanh, exp or log of a process is sometimes slightly wrong in one
    # thread's half (pytorch/pytorch#188792); a small call of each beforehand prevents it.
    small = torch.ones(64)
    torch.tanh(small), torch.exp(small), torch.log(small), torch.sigmoid(small)


def choose_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` names.

    Raises
    ------
    ConfigurationError
        If there is no such device here.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(
            f"--device cannot be {name!r}; give auto, cpu or cuda:N."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"--device cannot be {name!r}; give auto, cpu or cuda:N.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"--device {name}: there is no GPU here; give --device cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigurationError(f"--device {name}: there is no such GPU; give --device cuda.")
    return device


def arithmetic(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which matrix products run in a precision.

    ``auto`` is bf16 where the device has units for it, and fp32 elsewhere. It goes by what the
    device is, not by a measurement, so that it is the same in every run.
    """
    bf16 = precision == "bf16" or (precision == "auto" and has_fast_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def has_fast_bf16(device: torch.device) -> bool:
    """Tell whether matrix products in bf16 are faster than in fp32 on a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Of AVX-512 and AMX; elsewhere bf16 is emulated. The names are torch's, and not in every build.
    supported = (
        getattr(torch.cpu, name, lambda: False)()
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(supported)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode, without gradients, and back afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


@contextmanager
def stopped_by(names: tuple[str, ...], ask: Callable[[], None]) -> Iterator[None]:
    """Answer signals by a call while the block runs.

    Parameters
    ----------
    names
        Such as ``"SIGINT"``; those that this system lacks are left out.
    ask
        Called at each of them. Where this is not the main thread, it never is: whoever owns that
        thread handles signals.

    """
    before: dict[signal.Signals, Any] = {}
    try:
        for name in names:
            if hasattr(signal, name):
                number = signal.Signals[name]
                before[number] = signal.signal(number, lambda *_: ask())
    except ValueError:
        pass  # not the main thread
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
