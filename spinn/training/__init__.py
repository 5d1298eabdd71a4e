"""Configuration, the training loop, policy learning, checkpoints."""
