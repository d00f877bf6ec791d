"""One digest of the same bytes, whichever way they arrive."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from amrg.core.hashing import sha256_of_chunks, sha256_of_file, sha256_of_lines, sha256_of_text


def test_texts_lines_chunks_and_files_agree_with_hashlib(tmp_path: Path) -> None:
    content = "Übersicht\n4A\n".encode()
    expected = sha256(content).hexdigest()
    (tmp_path / "file").write_bytes(content)
    assert sha256_of_file(tmp_path / "file") == expected
    assert sha256_of_lines(["Übersicht", "4A"]) == expected
    assert sha256_of_text("Übersicht", "4A", "") == expected
    assert sha256_of_chunks([content[:3], content[3:]]) == expected


def test_digits_sort_as_the_digests_bytes() -> None:
    texts = [f"7 {i}" for i in range(200)]
    assert sorted(texts, key=sha256_of_text) == sorted(texts, key=lambda text: sha256(text.encode()).digest())
