"""A model over a part of a split: what is run, its manifest, its predictions, those on perturbed images."""
