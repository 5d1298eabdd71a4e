"""Evaluation of models: labels, trees, records, drawings and plots."""
