"""Ablation studies: a grid of runs, the statistics that compare them, tables and plots.

``grid`` says which runs there are, ``claims`` which studies come with the package,
``runner`` and ``worker`` make them, ``measurement`` keeps what
each model answered, ``statistics`` and ``summary`` compare, ``tables`` and ``plots`` show. The
commands import this package; training and evaluation know nothing of it.
"""
