"""The training loop: steps, validation, checkpoints, devices."""
