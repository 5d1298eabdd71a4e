"""Mutated inputs for the whole program: every file that a person or a stranger hands over.

A seed determines one mutation: the kind of input, the changes to it, and the command that reads it.
The command must succeed or end with one sentence and exit status 2, in bounded time and memory; see
:mod:`.verdict`. The test runs the first seeds. Many more are run by hand::

    python -m tests.fuzz --long
"""
