"""Accuracy, parse scores, reports and plots."""
