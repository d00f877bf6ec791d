"""The command line: one thin function a command, no logic. Heavy imports happen inside the commands."""

from amrg.cli.app import app, main
from amrg.cli.exits import Exit

__all__ = ["Exit", "app", "main"]
