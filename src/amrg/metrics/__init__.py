"""What a number is: terms a case and how they combine; intervals, tests, skill. Knows no model."""
