"""All tests and benchmarks on a GPU in one command: ``python -m benchmarks.gpu``.

Each part is a separate program with a time limit: the tests on the device, agreement of training
with the CPU, speed, the time of an epoch, a profile, and torchrun with nccl. They require the
repository, a folder written by ``spinn prepare``, and torch, but neither spaCy nor torchtext.
"""
