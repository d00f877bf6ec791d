"""Processes of their own for runs: forked from a server that has imported all, so that they begin at once."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.context import ForkServerContext
from pathlib import Path


def forking() -> ForkServerContext:
    """The context that processes are started in; the server is one for all tests of a session."""
    tests, before = str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")
    if tests not in before.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, before]))  # where it finds what to import
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.killing", "tests.training.several"])
    return context
