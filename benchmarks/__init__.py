"""Benchmarks of speed and memory, one program each; nothing in the package imports them.

Run ``python -m benchmarks.throughput``, ``scaling``, ``loading`` or ``memory`` from a clone;
records go to ``benchmarks/speed``. Accuracies are studied with ``spinn ablate``.
"""
