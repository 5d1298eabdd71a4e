"""The training loop, its tasks, logs, checkpoints and processes."""
