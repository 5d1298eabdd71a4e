"""What a training step minimises: one module for each kind of loss, with its options."""
