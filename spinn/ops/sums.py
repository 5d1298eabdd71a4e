"""Gradients that the parts of a backward pass add to, kept apart from those of other passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class PassSums(Generic[T]):
    """Sums of one backward pass.

    The last part of a pass forgets them. A pass to some of the weights may not reach that part;
    what it leaves behind does not count in the next pass over the same graph.
    """

    def __init__(self) -> None:
        self._sums: T | None = None
        self._task = -1

    def get(self, make: Callable[[], T]) -> T:
        """Return the sums of the current pass; ``make`` returns zeros at its beginning."""
        task = torch._C._current_graph_task_id()  # -1 outside a backward pass of autograd
        if self._sums is None or self._task != task:
            self._sums, self._task = make(), task
        return self._sums

    def forget(self) -> None:
        """Forget the sums, at the end of a pass."""
        self._sums = None
