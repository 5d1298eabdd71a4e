"""Differentiable building blocks the encoders are made of."""
