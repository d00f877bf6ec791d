"""How the embedded model is made (`make model`); independent of the rest of training."""
