"""What a draft leaves behind: text on the terminal, and text, JSON and picture in a folder a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amrg.generation.drafting import Draft
from amrg.generation.report_image import banners, missing_lines, report_picture
from amrg.imaging import Study


def render_draft(draft: Draft) -> str:
    """The draft as plain text: banner, report, what is missing, what was not understood."""
    parts = [*banners(draft), "", draft.text.rstrip(), "", *missing_lines(draft), *draft.problems]
    return "\n".join(parts).rstrip() + "\n"


def draft_document(draft: Draft) -> dict[str, Any]:
    """The draft as one JSON document; its layout is in docs/commands.md."""
    return {
        "schema": 1,
        "banner": banners(draft),
        "in_domain": draft.in_domain,
        "domain_distance": draft.domain_distance,
        "missing_views": [f"{side}{view}" for side, view in draft.missing],
        "problems": list(draft.problems),
        "report": draft.report.model_dump(mode="json"),
        "text": draft.text,
        "written_by_model": draft.written,
    }


def write_draft(study: Study, draft: Draft, folder: Path, formats: Sequence[str]) -> dict[str, Any]:
    """Write `text`, `json`, `png` as asked into a folder named by the study's UID; returns the JSON document."""
    document = draft_document(draft)
    place = folder / study.study_instance_uid
    place.mkdir(parents=True, exist_ok=True)
    if "text" in formats:
        (place / "report.txt").write_text(render_draft(draft), encoding="utf-8")
    if "json" in formats:
        (place / "report.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if "png" in formats:
        report_picture(study, draft).save(place / "report.png")
    return {"folder": place.name, "study_instance_uid": study.study_instance_uid, **document}
