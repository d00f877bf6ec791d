"""WordNet 3.0 for NLTK, from NLTK's own data or from Debian's `wordnet-base`. Nothing is ever downloaded."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import nltk.data
from nltk.corpus import wordnet
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from amrg.core.hashing import sha256_of_chunks

DEBIAN = Path("/usr/share/wordnet")
DATA = tuple(f"{part}.{kind}" for part in ("index", "data") for kind in ("adj", "adv", "noun", "verb"))
LEXICOGRAPHER_FILES = 45
"""How many names `lexnames` has, which Debian does not ship; METEOR reads none of them."""


def missing_wordnet() -> str | None:
    """Why NLTK's METEOR is not available and what to install, or None."""
    if load_wordnet() is not None:
        return None
    return (
        "meteor_nltk is skipped: no WordNet 3.0 found, neither corpora/wordnet in NLTK's data nor "
        f"{DEBIAN}; install it with apt-get install wordnet-base, or python -m nltk.downloader wordnet"
    )


@lru_cache(maxsize=1)
def load_wordnet() -> tuple[Any, str] | None:
    """NLTK's reader and what it reads (version and hash of the data), or None where there is no WordNet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other languages are not there
        found = _from_nltk() or _from_debian()
    if found is None:
        return None
    digest = sha256_of_chunks(_read(found, name).encode() for name in DATA)
    return found, f"WordNet {found.get_version()}, sha256 {digest[:16]}"


def _read(corpus: Any, name: str) -> str:
    with corpus.open(name) as file:
        text: str = file.read()
        return text


def _from_nltk() -> Any | None:
    try:
        wordnet.ensure_loaded()
    except LookupError:
        return None
    return wordnet


class DebianWordNet(WordNetCorpusReader):  # type: ignore[misc]  # the library has no types
    """NLTK's reader for a folder without `lexnames`, and without maps to other versions, which want `index.sense`."""

    def open(self, file: str) -> Any:
        """A file of the folder; `lexnames` is made up."""
        if file == "lexnames":
            return io.StringIO("".join(f"{i:02d}\tunnamed\t0\n" for i in range(LEXICOGRAPHER_FILES)))
        return super().open(file)

    def map_wn(self, version: str = "wordnet") -> None:
        """No map."""


def _from_debian() -> Any | None:
    if not all((DEBIAN / name).is_file() for name in DATA):
        return None
    if str(DEBIAN) not in nltk.data.path:
        nltk.data.path.append(str(DEBIAN))  # NLTK opens nothing outside of these
    return DebianWordNet(str(DEBIAN), None)
