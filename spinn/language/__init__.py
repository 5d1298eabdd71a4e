"""Language models: their configuration, their folders, perplexity and generation."""
