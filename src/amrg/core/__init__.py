"""What every room may use: value types, files written whole, hashing, progress. Knows no other room."""
