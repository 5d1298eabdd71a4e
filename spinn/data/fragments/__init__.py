"""Labelled trees as sequences of fragments, for the language model over fragments."""
