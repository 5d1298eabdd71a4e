"""Corpora that this project generates: the bundled sample, ListOps and propositional logic."""
