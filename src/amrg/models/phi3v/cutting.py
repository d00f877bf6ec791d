"""Images cut into crops (the HD transform of InternLM-XComposer2-4KHD, arXiv 2404.06512), as Phi-3.5-vision does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, isqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.utils import cached_file

from amrg.models.phi3v.configuration import CROP

FILE_NAME = "preprocessor_config.json"
# For engines that run the published code; amrg does not.
_HOME = "microsoft/Phi-3.5-vision-instruct--processing_phi3_v."
_PUBLISHED = {
    "auto_map": {"AutoProcessor": _HOME + "Phi3VProcessor", "AutoImageProcessor": _HOME + "Phi3VImageProcessor"},
    "image_processor_type": "Phi3VImageProcessor",
    "processor_class": "Phi3VProcessor",
}
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Cutting:
    """How images are cut: at most `num_crops` crops of `crop_size` pixels a side, and an overview of that size.

    `num_img_tokens` is the image tokens of one crop, without its line ends. Phi-3.5-vision is published with 4
    crops, for several images at a time; its model card advises 16 for a single one.
    """

    num_crops: int = 4
    image_mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)  # CLIP's
    image_std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)
    num_img_tokens: int = 144
    crop_size: int = CROP

    @classmethod
    def from_pretrained(cls, source: str | Path, revision: str | None = None) -> Cutting:
        """Read a checkpoint's `preprocessor_config.json`, from a folder or the hub.

        Raises:
            OSError: there is none.
        """
        document = json.loads(Path(cached_file(str(source), FILE_NAME, revision=revision)).read_text(encoding="utf-8"))
        known: dict[str, Any] = {key: document[key] for key in cls.__dataclass_fields__ if key in document}
        known |= {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        return cls(**known)

    def save_pretrained(self, folder: Path) -> None:
        """Write `preprocessor_config.json` as published, with the side of a crop."""
        document = json.dumps(asdict(self) | _PUBLISHED, indent=2, sort_keys=True) + "\n"
        (Path(folder) / FILE_NAME).write_text(document, encoding="utf-8")

    def __call__(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        """`pixel_values` float32 [images, 1 + num_crops, 3, size, size], `image_sizes` int64 [images, 2].

        The overview comes first, crops row by row; zeros fill up an image that has fewer crops. Sizes are height
        and width in pixels once cut.
        """
        cut = [self._cut(image) for image in images]
        values = torch.zeros(len(cut), 1 + self.num_crops, 3, self.crop_size, self.crop_size)
        for held, (crops, _) in zip(values, cut, strict=True):
            held[: len(crops)] = crops
        return {"pixel_values": values, "image_sizes": torch.tensor([size for _, size in cut])}

    def tokens(self, height: int, width: int) -> int:
        """Image tokens of an image of this size once cut: 757 for 672 x 672."""
        rows, columns = height // self.crop_size, width // self.crop_size
        return (rows * columns + 1) * self.num_img_tokens + 1 + (rows + 1) * isqrt(self.num_img_tokens)

    def fitted(self, image: Image.Image) -> Image.Image:
        """An image as wide as its crops, padded with white above and below to whole crops; an upright one lying."""
        width, height = image.size
        if width < height:
            return self.fitted(image.transpose(Image.Transpose.TRANSPOSE)).transpose(Image.Transpose.TRANSPOSE)
        wide = self._columns(width / height) * self.crop_size
        tall = max(1, int(wide / (width / height)))
        padded = Image.new("RGB", (wide, ceil(tall / self.crop_size) * self.crop_size), _WHITE)
        padded.paste(image.resize((wide, tall), Image.Resampling.BILINEAR), (0, (padded.height - tall) // 2))
        return padded

    def _columns(self, ratio: float) -> int:
        """The most crops side by side with which an image `ratio` as wide as tall still fits into `num_crops`."""
        columns = 1
        while (columns + 1) * ceil((columns + 1) / ratio) <= self.num_crops:
            columns += 1
        return columns

    def _cut(self, image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
        """Overview and crops of one image, [1 + crops, 3, size, size], and its height and width once cut."""
        pixels = self._normed(self.fitted(image.convert("RGB")))
        side, (_, height, width) = self.crop_size, pixels.shape
        overview = torch.nn.functional.interpolate(pixels[None], size=(side, side), mode="bicubic")
        crops = pixels.reshape(3, height // side, side, width // side, side).permute(1, 3, 0, 2, 4)
        return torch.cat([overview, crops.flatten(0, 1)]), (height, width)

    def _normed(self, image: Image.Image) -> Tensor:
        """Pixels float32 [3, height, width] with CLIP's mean and deviation taken out."""
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (self.image_mean, self.image_std))
        return (pixels - mean) / deviation
