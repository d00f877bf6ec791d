"""The embedded model's tower and projector as a graph that ONNX Runtime runs: a view at a time, views side by side.

One view a run keeps what a layer makes in the processor's cache, and one thread a run has nobody to wait for
(docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from amrg.core.errors import first_line
from amrg.core.threads import map_in_threads
from amrg.models.checkpoint import GRAPH
from amrg.models.embedded.candidates import BACKGROUND, CELL, columns_read
from amrg.models.errors import ModelError

WEIGHTS = "weights_sha256"
"""The key under which the graph's metadata has the hash of the weights that it was made of."""
INPUT = "pixels"
OUTPUTS = ("tokens", "cells", "places", "boxes", "suspicion")
Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ObservedView:
    """What the tower says of a view: image tokens [tokens, width] for the language model, and its candidates.

    `cells` int64 [candidates], -1 where there is none; `places` [candidates, 2 + kinds] are probabilities of a lesion
    of any kind, of a malignant one, and of each kind; `boxes` [candidates, 4] distances from the cell's middle, in
    cells; `suspicion` 0 to 1.
    """

    tokens: Floats
    cells: npt.NDArray[np.int64]
    places: Floats
    boxes: Floats
    suspicion: float


class GraphTower:
    """The graph of a checkpoint's folder."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ModelError: the file is damaged.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no other class
            raise ModelError(
                f"model {folder.name}: {GRAPH} cannot be loaded ({first_line(error)}); copy the model again, or "
                "remove the file to compute with torch"
            ) from error

    @property
    def weights(self) -> str | None:
        """SHA-256 of the weights that the graph was made of."""
        found: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found.get(WEIGHTS)

    def observe(self, images: Sequence[Image], pixels: Callable[[Image], Floats]) -> list[ObservedView]:
        """What the tower says of each view; `pixels` makes an image what the graph takes, [3, H, W] in -1..1."""
        return map_in_threads(lambda image: self._observe_view(image, pixels), images)

    def _observe_view(self, image: Image, pixels: Callable[[Image], Floats]) -> ObservedView:
        columns = columns_read(pixels(image[..., :1])[0] > BACKGROUND)
        out: list[Any] = self._session.run(list(OUTPUTS), {INPUT: pixels(image[:, :columns])[None]})
        tokens, narrow, places, boxes, suspicion = (values[0] for values in out)
        before, across = columns // CELL, image.shape[1] // CELL
        cells = np.where(narrow < 0, narrow, narrow // before * across + narrow % before)
        return ObservedView(tokens, cells, places, boxes, float(suspicion))
