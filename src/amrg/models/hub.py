"""Errors of the hub, in one line with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from huggingface_hub import ResolvedRevision, constants
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers.utils.hub import resolve_revision

UNAUTHORISED = 401  # RFC 9110, 15.5.2: nobody is logged in


def commit_of(name: str, revision: str | None) -> str | None:
    """The commit that a revision of a hub model (None: its newest) stands for now; unchanged where none is known.

    Resolved once, before anything is loaded, so that all files are of one commit and the run can record which.
    """
    found = resolve_revision(name, revision)
    return found.resolved if isinstance(found, ResolvedRevision) else revision


def hub_trouble(error: BaseException, name: str, revision: str | None) -> str | None:
    """Why a hub model could not be fetched and what to do; None where the hub is not the reason.

    transformers reports most of these over several lines; the hub's own answer is in the chain of causes. `revision` is
    the commit that was requested.
    """
    for cause in _causes(error):
        for kinds, explain in _EXPLANATIONS:
            if isinstance(cause, kinds):
                return explain(cause, name, revision)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, the latest first."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _gated(cause: BaseException, name: str, revision: str | None) -> str:
    response = getattr(cause, "response", None)
    page = f"https://huggingface.co/{name}"
    if response is None or response.status_code == UNAUTHORISED:
        return f"model {name!r} is gated and nobody is logged in: accept its terms at {page}, then run `hf auth login`"
    return (
        f"model {name!r} is gated and the account that is logged in has no access: accept its terms at {page} "
        "with that account, or log in with another (`hf auth login`)"
    )


def _missing(cause: BaseException, name: str, revision: str | None) -> str:
    return (
        f"model {name!r} is not on the hub, or is private: check the name (`amrg model list` has those that amrg was "
        "built for), and for a private one run `hf auth login`"
    )


def _no_such_commit(cause: BaseException, name: str, revision: str | None) -> str:
    return (
        f"model {name!r} has no commit {revision!r} on the hub: take the one that its page lists "
        f"(https://huggingface.co/{name}/commits/main), or name none for the one that amrg pins"
    )


def _unreachable(cause: BaseException, name: str, revision: str | None) -> str:
    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
    then = "unset it" if constants.HF_HUB_OFFLINE else "connect to the network"
    command = f"hf download {name}" + (f" --revision {revision}" if revision else "")
    return (
        f"model {name!r} is not in this machine's cache and {why}: {then}, or run "
        f"`{command} --local-dir FOLDER` where there is a network and name that folder"
    )


# Most particular first: a gated repository is also one that was not found.
_EXPLANATIONS: tuple[tuple[tuple[type[BaseException], ...], Callable[[BaseException, str, str | None], str]], ...] = (
    ((GatedRepoError,), _gated),
    ((RevisionNotFoundError,), _no_such_commit),
    ((RepositoryNotFoundError,), _missing),
    ((LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError), _unreachable),
)
