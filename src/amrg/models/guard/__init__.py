"""The guard: what is no mammogram, and how far images are from those that a model was trained on."""
