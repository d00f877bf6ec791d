"""A tuned adapter to what others load."""
