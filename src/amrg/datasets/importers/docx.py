"""The text of a DOCX document, by its paragraphs: Office Open XML (ECMA-376, part 1, 17.3)."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MAX_BYTES = 16 * 2**20  # bytes unpacked; a report has a few thousand


def text_of(document: bytes) -> str:
    """The paragraphs of a document, a line each; tabs and breaks as such, empty ones as empty lines.

    Raises:
        ValueError: not a DOCX document.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            if archive.getinfo("word/document.xml").file_size > MAX_BYTES:
                raise ValueError(f"text of more than {MAX_BYTES} bytes")
            tree = ElementTree.fromstring(archive.read("word/document.xml"))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"not a DOCX document ({error})") from error
    return "".join(_paragraph(p) + "\n" for p in tree.iter(f"{_W}p"))


def _paragraph(paragraph: ElementTree.Element) -> str:
    breaks = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n"}
    parts = (
        element.text or "" if element.tag == f"{_W}t" else breaks.get(element.tag, "") for element in paragraph.iter()
    )
    return "".join(parts)
