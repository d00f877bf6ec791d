"""A small folder of real-looking mammograms as `films.jsonl` lists them, drawn."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amrg.birads import Laterality
from amrg.phantom import SCREENING, Size, draw_exam

MASS = {
    "kind": "mass",
    "assessment": 4,
    "pathology": "MALIGNANT",
    "subtlety": 4,
    "shape": "IRREGULAR",
    "margins": "SPICULATED",
}
CALCIUM = {"kind": "calcifications", "assessment": 4, "pathology": "BENIGN", "subtlety": 3, "type": "PLEOMORPHIC"}


def write_films(folder: Path, patients: int) -> None:
    """Films with a mass each, one digital view with a mask, one normal view without marks, and two crops."""
    lines = []
    for number in range(patients):
        image = _breast(number)
        lines.append(_film(folder, number, image))
    lines.append(_digital(folder, _breast(patients)))
    lines.append(_outcome(folder, _breast(patients + 1), "normal"))
    lines.append(_outcome(folder, _breast(patients + 2), "malignant"))
    for i, lesion in enumerate((MASS, CALCIUM)):
        lines.append(_crop(folder, i, lesion))
    (folder / "films.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _breast(number: int) -> Image.Image:
    """Three breasts in turn: drawing costs more than anything that is done with them."""
    return _drawn(number % 3)


@cache
def _drawn(seed: int) -> Image.Image:
    view = next(v for v in draw_exam(seed, Size.SMALL, SCREENING).views if v.laterality is Laterality.LEFT)
    top = float(2**view.bits_stored - 1)
    return Image.fromarray(np.rint(view.pixels / top * 255).astype(np.uint8))


def _save(folder: Path, name: str, image: Image.Image) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    image.save(folder / name, quality=95)
    return name


def _film(folder: Path, number: int, image: Image.Image) -> dict[str, Any]:
    name = _save(folder, f"cbis/{number:05d}_LEFT_CC.jpg", image.resize((800, 800)))
    box = [100.0, 350.0, 180.0, 430.0]
    about = {"patient": f"P_{number:05d}", "laterality": "L", "view": "CC", "aspect": 0.6, "density": 1 + number % 4}
    return {"file": name, "dataset": "CBIS-DDSM", **about, "lesions": [{**MASS, "box": box}], "boxes": [box]}


def _digital(folder: Path, image: Image.Image) -> dict[str, Any]:
    name = _save(folder, "cesm/P1_L_DM_MLO.jpg", image.resize((512, 512)))
    mask = np.zeros((512, 512), np.uint8)
    mask[200:240, 80:120] = 255
    listed = _save(folder, "cesm/P1_L_DM_MLO-mask.png", Image.fromarray(mask))
    about = {"patient": "P1", "laterality": "L", "view": "MLO", "density": 2, "tags": "suspicious mass"}
    return {"file": name, "mask": listed, "dataset": "CDD-CESM", "pathology": "Malignant", **about}


def _outcome(folder: Path, image: Image.Image, outcome: str) -> dict[str, Any]:
    name = _save(folder, f"cesm-cc/{outcome}-001.jpg", image)
    return {"file": name, "dataset": "CDD-CESM", "laterality": "L", "view": "CC", "outcome": outcome}


def _crop(folder: Path, number: int, lesion: dict[str, Any]) -> dict[str, Any]:
    spot = np.full((200, 160), 90, np.uint8)
    spot[80:120, 60:100] = 200
    name = _save(folder, f"crops/{number}.jpg", Image.fromarray(spot))
    return {
        "file": name,
        "dataset": "CBIS-DDSM",
        "crop": True,
        "scale": 1,
        "patient": f"P_9{number}",
        "view": "CC",
        "density": 2,
        "lesions": [lesion],
    }
