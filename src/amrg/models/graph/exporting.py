"""Write a checkpoint's tower and projector as a graph; its weights stay in the checkpoint's own file.

Run as `python -m amrg.models.graph.exporting FOLDER`; `make model` does.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amrg.core.files import atomic_write
from amrg.models.checkpoint import GRAPH, SINGLE, file_hash
from amrg.models.embedded.candidates import BLOCK
from amrg.models.errors import ModelError
from amrg.models.graph.tower import INPUT, OUTPUTS, WEIGHTS
from amrg.models.hubnames import hub_name
from amrg.models.load import load_base

OPSET = 20


class GraphModule(nn.Module):
    """The part of the model that becomes the graph."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.vision_tower = model.model.vision_tower
        self.multi_modal_projector = model.model.multi_modal_projector

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Pixels [1, 3, H, W] to what `amrg.models.graph.tower.OUTPUTS` names; W is any multiple of `BLOCK`."""
        out = self.vision_tower.read(pixels)
        return (
            self.multi_modal_projector(out.last_hidden_state),
            out.candidates,
            out.found.places.sigmoid(),
            out.found.boxes,
            out.maps.suspicion.sigmoid(),
        )


def export_graph(folder: Path) -> None:
    """Write the graph of a checkpoint's folder next to its weights.

    Raises:
        ModelError: the model cannot be loaded, or its weights are not in a single file.
    """
    if not (folder / SINGLE).is_file():
        raise ModelError(f"model {folder.name}: no {SINGLE}; a graph is made of weights in a single file")
    graph = _traced(load_base(str(folder), dtype=torch.float32).model)
    stored = (folder / SINGLE).read_bytes()
    places = _places(stored)
    for tensor in graph.graph.initializer:
        place = places.get(hub_name("gemma3", f"model.{tensor.name}"))
        if place is not None and tensor.raw_data == stored[place.start : place.stop]:
            _refer(tensor, place)  # what the exporter made or transposed itself stays in the graph
    for node in graph.graph.node:
        del node.metadata_props[:]  # the line of the source that each came from
    entry = graph.metadata_props.add()
    entry.key, entry.value = WEIGHTS, file_hash(folder / SINGLE)
    with atomic_write(folder / GRAPH) as partial:
        partial.write_bytes(graph.SerializeToString(deterministic=True))


def _traced(model: Any) -> Any:
    """The graph of a model as ONNX's message."""
    config = model.config.vision_config
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own libraries
        program = torch.onnx.export(
            GraphModule(model.cpu()).eval(),
            (torch.zeros(1, config.num_channels, config.image_size, config.image_size),),
            dynamic_shapes=({3: BLOCK * torch.export.Dim("blocks", min=1, max=config.image_size // BLOCK)},),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
        )
    assert program is not None
    return program.model_proto


def _places(stored: bytes) -> dict[str, slice]:
    """Where the bytes of each tensor are in a safetensors file: the length of its header, the header, the tensors."""
    length = int.from_bytes(stored[:8], "little")
    header = json.loads(stored[8 : 8 + length])
    spans = {name: tensor["data_offsets"] for name, tensor in header.items() if name != "__metadata__"}
    return {name: slice(8 + length + start, 8 + length + end) for name, (start, end) in spans.items()}


def _refer(tensor: Any, place: slice) -> None:
    """Let a weight of the graph be read from the checkpoint's own file."""
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in (("location", SINGLE), ("offset", place.start), ("length", place.stop - place.start)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)


if __name__ == "__main__":
    export_graph(Path(sys.argv[1]))
