"""Measurements of the project, one program a question; nothing in the package imports them.

Speed and memory are measured by ``python -m benchmarks.throughput``, ``scaling``, ``loading`` and
``memory``, with records in ``benchmarks/speed``; accuracy is kept by ``collect``, with records
beside the experiments in ``spinn/experiments``.
"""
