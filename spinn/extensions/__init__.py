"""Optional methods that register themselves with the package by name.

No other part of the package depends on them. :func:`load` is called where configurations are made.
"""

from __future__ import annotations


def load() -> None:
    """Register the extensions of this package; further calls have no effect."""
    from spinn.data.transforms import BATCH_TRANSFORMS, VECTOR_SOURCES
    from spinn.extensions.aligned_leaves import WordAlignment
    from spinn.extensions.gated_recursion import GatedRecursiveCell
    from spinn.extensions.induced_vectors import induced_vectors
    from spinn.extensions.symmetries import logic_symmetries
    from spinn.model.cells import COMPOSITIONS
    from spinn.model.leaves import LEAF_CONTEXTS

    BATCH_TRANSFORMS.register("symmetries", logic_symmetries)
    VECTOR_SOURCES.register("induced", induced_vectors)
    COMPOSITIONS.register("gated-recursive", GatedRecursiveCell)
    LEAF_CONTEXTS.register("aligned", WordAlignment)
