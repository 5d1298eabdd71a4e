"""Encoders, the transition policy, and the sentence-pair classifier."""
