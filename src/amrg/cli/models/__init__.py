"""The commands that tune, export and check models, a file a command."""
