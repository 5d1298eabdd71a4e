"""Errors, files, options, registries and the machine: knows nothing of SPINN."""
