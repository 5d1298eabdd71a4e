"""Fixtures shared by the tests of learning and training."""

from toy_fixtures import one_order, toy_either, toy_expressions, toy_folder

__all__ = ["one_order", "toy_either", "toy_expressions", "toy_folder"]
