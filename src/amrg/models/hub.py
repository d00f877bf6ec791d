"""The hub: one short try whether it can be reached, and its errors in one line with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from httpx2 import TransportError  # of huggingface_hub's own client
from huggingface_hub import HfApi, ResolvedRevision, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers.utils.hub import resolve_revision

UNAUTHORISED = 401  # RFC 9110, 15.5.2: nobody is logged in
SERVER_ERROR = 500  # RFC 9110, 15.6: the first of the server's own errors
TRY_SECONDS = 5.0
"""How long the one try waits to connect, and for each part of the answer."""


def commit_of(name: str, revision: str | None) -> str | None:
    """The commit that a revision of a hub model (None: its newest) stands for now; unchanged where none is known.

    Resolved once, before anything is loaded, so that all files are of one commit and the run can record which.

    Raises:
        HfHubHTTPError: the hub has no such model, or no such commit.
    """
    _try_once(name, revision)
    found = resolve_revision(name, revision)
    return found.resolved if isinstance(found, ResolvedRevision) else revision


_cut_off: set[str] = set()
"""Addresses of hubs that this process could not reach."""


def _try_once(name: str, revision: str | None) -> None:
    """Ask the hub for a model once; where it cannot be reached, the process works from the hub's cache from then on.

    Without that, every file of a model is asked for in turn, each several times and with longer and longer waits.

    Raises:
        HfHubHTTPError: the hub has no such model, or no such commit.
    """
    if constants.is_offline_mode():
        return
    try:
        HfApi(endpoint=constants.ENDPOINT).model_info(name, revision=revision, timeout=TRY_SECONDS)
    except TransportError:
        pass
    except HfHubHTTPError as error:
        if error.response.status_code < SERVER_ERROR:
            raise
    else:
        return
    _cut_off.add(constants.ENDPOINT)
    constants.HF_HUB_OFFLINE = True


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
    chosen = constants.is_offline_mode() and constants.ENDPOINT not in _cut_off
    why = "HF_HUB_OFFLINE is set" if chosen else "the hub cannot be reached"
    then = "unset it" if chosen else "connect to the network"
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
