"""What every room may use: value types, atomic writes, hashing, progress. Knows no other room."""
