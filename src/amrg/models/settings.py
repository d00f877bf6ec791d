"""How a checkpoint is prompted: how its images are made, its instruction, the form and the limit of its answer.

amrg writes these settings next to every checkpoint it trains, so that training and drafting cannot differ. A checkpoint
without them (MedGemma, any hub model of the class) is prompted as a general model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import ValidationError

from amrg.birads import AnswerForm, Laterality, View
from amrg.core.values import Value, first_complaint
from amrg.models.errors import ModelError
from amrg.models.views import ViewEncoding

FILE_NAME = "amrg.json"

GENERAL_INSTRUCTION = (
    "You are a breast radiologist. Write the mammography report of this study: breast composition "
    "(a, b, c or d), every finding with its side, quadrant, depth and BI-RADS descriptors, "
    "and the BI-RADS category of each breast."
)
GENERAL_LIST_INSTRUCTION = """Begin with a findings list, then write the report.
List: a line for each finding with side (R or L) and kind, then, separated by commas and only where they apply, \
quadrant, depth (anterior, middle, posterior), BI-RADS descriptors, size in mm, views and BI-RADS category; the line \
"none" if there is no finding; then the breast composition and the BI-RADS category of each breast. For example:
FINDINGS LIST
R mass, upper outer, posterior, irregular, spiculated, high density, 14 mm, CC MLO, BI-RADS 5
L calcifications, retroareolar, grouped, amorphous, MLO, BI-RADS 4B
ACR C
BI-RADS R 5, L 4B
REPORT
(here follows the report)
"""


class ModelSettings(Value):
    """How a checkpoint is prompted: its images, its instruction, the form of its answer and how long it may be.

    `instruction` requests the narrative; where the answer is findings first, `list_instruction` comes before it.
    """

    encoding: ViewEncoding
    instruction: str = GENERAL_INSTRUCTION
    list_instruction: str = GENERAL_LIST_INSTRUCTION
    answer: AnswerForm = AnswerForm.NARRATIVE
    max_new_tokens: int = 512

    @property
    def full_instruction(self) -> str:
        """What follows the images in a prompt."""
        if self.answer is AnswerForm.NARRATIVE:
            return self.instruction
        return f"{self.list_instruction} {self.instruction}"

    @classmethod
    def of_checkpoint(cls, folder: Path | None, size: int) -> ModelSettings:
        """The settings stored in a checkpoint's folder, else plain images of `size` and the general instruction.

        Raises:
            ModelError: those stored are damaged.
        """
        if folder is not None and (folder / FILE_NAME).is_file():
            try:
                return cls.model_validate_json((folder / FILE_NAME).read_bytes())
            except ValidationError as error:
                raise ModelError(
                    f"model {folder.name}: {FILE_NAME} is damaged ({first_complaint(error)}), which says how it is "
                    "prompted; copy it again from where the model came from"
                ) from error
        return cls(encoding=ViewEncoding(size=size))

    def save(self, folder: Path) -> None:
        """Write the settings next to a checkpoint."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def view_name(laterality: Laterality, view: View) -> str:
    """The short name radiologists use: `RCC`, `LMLO`."""
    return f"{laterality}{view}"


def messages(
    views: Sequence[tuple[Laterality, View]], images: Sequence[Image.Image], settings: ModelSettings
) -> list[dict[str, Any]]:
    """The chat of one study, as its settings request its report."""
    return user_turn(views, images, settings.full_instruction)


def user_turn(
    views: Sequence[tuple[Laterality, View]], images: Sequence[Image.Image], instruction: str
) -> list[dict[str, Any]]:
    """The chat of one study: every view named before its image, then the instruction."""
    content: list[dict[str, Any]] = []
    for (laterality, view), image in zip(views, images, strict=True):
        content.append({"type": "text", "text": view_name(laterality, view)})
        content.append({"type": "image", "image": image})
    content.append({"type": "text", "text": instruction})
    return [{"role": "user", "content": content}]
