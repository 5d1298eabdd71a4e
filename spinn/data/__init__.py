"""Text to numbers: readers, vocabulary, numericalised sets, batches."""
