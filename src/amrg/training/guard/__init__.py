"""How the guard is fitted: other pictures, drawn, taken from packages or made of mammograms; distances of a model."""
