"""One family of models a file, behind one interface."""
