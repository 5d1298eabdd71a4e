"""Data: from corpus files to batches of numbers."""
