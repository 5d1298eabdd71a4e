"""Optional methods that register themselves with the package by name.

No other part of the package depends on them. :func:`load` is called where configurations are made.
"""

from __future__ import annotations


def load() -> None:
    """Register the extensions of this package; further calls have no effect."""
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
