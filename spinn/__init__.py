"""SPINN, the shift-reduce sentence encoder, for natural language inference."""

__version__ = "0.2.0"
