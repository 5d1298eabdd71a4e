"""Guests: methods that one study uses, registered by name. The core never imports this package.

Importing it registers all of them. An extension of your own registers itself in the same way,
before the options are read.
"""

from spinn.extensions import aligned_leaves, gated_recursion

__all__ = ["aligned_leaves", "gated_recursion"]
