"""Passes of fixed shape that are captured once and replayed, as CUDA graphs.

A pass of :mod:`spinn.ops.fixed` launches thousands of small kernels; a graph launches them at once.
Its inputs and outputs have fixed places in memory, into which every batch of the same shape is
copied. A pass is lent until its backward pass is done, so that two batches of one shape can be
underway. On other devices a replay computes the same, kernel by kernel; so do the tests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinn.ops.fixed import Choose, Pass, Weights
from spinn.ops.precision import product_type

WARMUPS = 2  # runs before a capture, in which libraries choose kernels and reserve memory


class Replay:
    """Work on tensors at fixed places, captured at the first call.

    Parameters
    ----------
    act
        The work; it must not wait for the device.
    device
        Where it is done.

    """

    def __init__(self, act: Callable[[], None], device: torch.device) -> None:
        self._act, self._device = act, device
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do the work."""
        if self._device.type != "cuda":
            self._act()
            return
        if self._graph is None:
            self._graph = self._capture()
        self._graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph:
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        before = torch.cuda.get_rng_state(self._device)
        with torch.cuda.stream(stream):
            for _ in range(WARMUPS):
                self._act()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        torch.cuda.set_rng_state(before, self._device)  # a first replay draws like any other
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._act()
        return graph


class StaticPass:
    """A pass whose inputs, outputs and gradients have fixed places.

    Parameters
    ----------
    words, states, lengths, weights, transitions
        The first batch, whose shapes all have; see :func:`run`.
    choose
        Makes what chooses, from given transitions ``[T, B]``.

    """

    def __init__(
        self,
        words: int,
        states: Tensor,
        lengths: Tensor,
        weights: Weights,
        transitions: Tensor,
        choose: Callable[[Tensor], Choose],
    ) -> None:
        self._transitions = transitions.clone()
        own = Weights(**{name: value.clone() for name, value in vars(weights).items()})
        type = product_type(states)
        self.made = Pass(words, lengths.clone(), own, states.clone(), type)
        self._hidden = torch.zeros_like(self.made.rows.hidden)
        self._seen = states.new_zeros(self.made.steps, self.made.count, self.made.width)
        self._choose = choose(self._transitions)
        self._found: tuple[Tensor, ...] = ()
        self._gradients: tuple[Tensor, ...] = ()
        self._forward = Replay(self._go, states.device)
        self._backward = Replay(self._go_back, states.device)

    def forward(
        self, states: Tensor, lengths: Tensor, weights: Weights, transitions: Tensor
    ) -> None:
        """Run the pass on another batch."""
        self.made.load(states, lengths, weights)
        self._transitions.copy_(transitions)
        self._forward()

    def found(self) -> tuple[Tensor, ...]:
        """Return what :meth:`spinn.ops.fixed.Pass.forward` returned, copied."""
        return tuple(found.clone() for found in self._found)

    def backward(self, hidden: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        """Go back; see :meth:`spinn.ops.fixed.Pass.backward`."""
        self._hidden.copy_(hidden)
        self._seen.copy_(seen)
        self._backward()
        return tuple(gradient.clone() for gradient in self._gradients)

    def _go(self) -> None:
        self._found = self.made.forward(self._choose)

    def _go_back(self) -> None:
        self._gradients = self.made.backward(self._hidden, self._seen)


class Passes:
    """The passes that have been captured, by shape; a copy has none."""

    def __init__(self) -> None:
        self._free: dict[Hashable, list[StaticPass]] = {}
        self._lock = threading.Lock()  # autograd goes back in another thread

    def lend(self, key: Hashable, make: Callable[[], StaticPass]) -> Lease:
        """Return a pass that is not in use; make one if there is none."""
        with self._lock:
            free = self._free.setdefault(key, [])
            found = free.pop() if free else None
        return Lease(make() if found is None else found, key, self)

    def take_back(self, key: Hashable, returned: StaticPass) -> None:
        """Receive a pass that is no longer in use."""
        with self._lock:
            self._free[key].append(returned)

    def __deepcopy__(self, memo: Any) -> Passes:
        return Passes()

    def __reduce__(self) -> tuple[type[Passes], tuple[()]]:
        return Passes, ()


class Lease:
    """A pass in use; it is given back once, at the latest when nothing refers to the lease."""

    def __init__(self, lent: StaticPass, key: Hashable, passes: Passes) -> None:
        self.lent: StaticPass | None = lent
        self._key, self._passes = key, passes

    def end(self) -> None:
        """Give the pass back."""
        lent, self.lent = self.lent, None
        if lent is not None:
            self._passes.take_back(self._key, lent)

    def __del__(self) -> None:
        self.end()


class _Replayed(torch.autograd.Function):
    """Replay a pass that is lent; return all hidden states, and what the tracker saw."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, compose: Tensor, compose_bias: Tensor, track: Tensor,
        track_bias: Tensor, lease: Lease,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        assert lease.lent is not None
        ctx.lease = lease
        return lease.lent.found()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, hidden: Tensor, seen: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        lease: Lease = ctx.lease
        if lease.lent is None:
            raise RuntimeError("a replayed pass has one backward pass; run it again for another")
        gradients = lease.lent.backward(hidden, seen)
        lease.end()
        return *gradients, None


def run(
    states: Tensor,
    words: int,
    lengths: Tensor,
    weights: Weights,
    transitions: Tensor,
    choose: Callable[[Tensor], Choose],
    passes: Passes,
    kind: Hashable,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Take all steps of B sentences of up to L words, as :func:`spinn.ops.fixed.run` does.

    Parameters
    ----------
    states, words, lengths, weights
        As there.
    transitions
        ``[T, B]``, those to follow; any where they are chosen.
    choose
        Makes what chooses, from transitions at a fixed place.
    passes
        Where passes are kept.
    kind
        What distinguishes passes besides shapes and types: who chooses.

    Returns
    -------
    The hidden states of all rows, those of the tracker, and of the pass ``taken``, ``legal``,
    ``tops``.

    """
    type = product_type(states)
    own = Weights(**{name: value.detach() for name, value in vars(weights).items()})
    # Without gradients the steps share memory; tensors of inference mode cannot leave it.
    mode = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    key = (kind, words, len(lengths), states.dtype, type, states.device, *mode)
    lease = passes.lend(
        key, lambda: StaticPass(words, states.detach(), lengths, own, transitions, choose)
    )
    assert lease.lent is not None
    made = lease.lent.made
    with torch.autocast(states.device.type, enabled=False):
        with torch.no_grad():
            lease.lent.forward(states, lengths, own, transitions)
        hidden, seen = _Replayed.apply(
            states,
            weights.compose,
            weights.compose_bias,
            weights.track,
            weights.track_bias,
            lease,
        )
    found = {name: value.clone() for name, value in made.machine.record().items()}
    if not hidden.requires_grad:
        lease.end()
    return hidden, seen, found
