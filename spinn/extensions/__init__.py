"""Optional methods that register themselves with the package by name.

No other part of the package depends on them. :func:`load` is called where configurations are made.
Other modules are loaded with them if the environment names them in ``SPINN_EXTENSIONS``.
"""

from __future__ import annotations

import os
from importlib import import_module

from spinn.support.errors import ConfigurationError

VARIABLE = "SPINN_EXTENSIONS"  # inherited by the processes of a study


def load() -> None:
    """Register the extensions of this package and of the environment.

    Further calls have no effect.

    Raises
    ------
    ConfigurationError
        If a module that the environment names cannot be imported.

    """
    _register_own()
    for name in os.environ.get(VARIABLE, "").replace(",", " ").split():
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigurationError(
                f"{VARIABLE} names {name}, which cannot be imported ({error}). Correct the name, "
                "or put its folder into PYTHONPATH."
            ) from error


def _register_own() -> None:
    from spinn.extensions.aligned_leaves import WordAlignment
    from spinn.extensions.gated_recursion import GatedRecursiveCell
    from spinn.extensions.induced_vectors import INDUCED_VECTORS_GROUP
    from spinn.extensions.symmetries import SYMMETRIES_GROUP
    from spinn.model.cells import COMPOSITIONS
    from spinn.model.leaves import LEAF_CONTEXTS
    from spinn.support.options import GUEST_GROUPS

    for group in (INDUCED_VECTORS_GROUP, SYMMETRIES_GROUP):
        GUEST_GROUPS.register(group.name, group)
    COMPOSITIONS.register("gated-recursive", GatedRecursiveCell)
    LEAF_CONTEXTS.register("aligned", WordAlignment)
