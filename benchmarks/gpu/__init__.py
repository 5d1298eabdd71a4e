"""Everything a GPU has to prove, in one command: ``python -m benchmarks.gpu``.

Each part is a program of its own with a time box: the tests on the device, training that agrees
with the processor's, speed, the time of an epoch, a profile, and torchrun with nccl. They need the
repository, a folder made by ``spinn prepare`` and torch; spaCy and torchtext are not used.
"""
