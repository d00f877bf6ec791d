"""Load a checkpoint with a graph: no torch, a fifth of a second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file

from amrg.models.checkpoint import GRAPH, SINGLE, file_hash
from amrg.models.decoding.phrases import Phrases
from amrg.models.errors import ModelError
from amrg.models.graph.decoder import Decoder, build_decoder
from amrg.models.graph.prompt import PromptWriter
from amrg.models.graph.reading import reading
from amrg.models.graph.tower import GraphTower
from amrg.models.settings import ModelSettings
from amrg.models.thread_count import checked_threads


@dataclass(frozen=True)
class GraphModel:
    """A checkpoint ready to draft: its tower as a graph, its language model in numpy, its prompt, its phrases."""

    folder: Path
    tower: GraphTower
    decoder: Decoder
    prompt: PromptWriter
    phrases: Phrases | None
    settings: ModelSettings


def load_graph_model(folder: Path) -> GraphModel:
    """Load the graph of a checkpoint's folder with all that a draft needs.

    Raises:
        ModelError: a file is missing or damaged, the graph is of other weights, or the language model needs torch.
    """
    with reading(folder / "config.json") as file:
        config = json.loads(file.read_bytes())
        size, language = int(config["vision_config"]["image_size"]), config["text_config"]
    with reading(folder / SINGLE) as file:
        decoder = build_decoder(language, load_file(file))
    settings = ModelSettings.of_checkpoint(folder, size)
    prompt = PromptWriter.of_folder(folder, settings)
    checked_threads()
    tower = GraphTower(folder)
    if tower.weights != file_hash(folder / SINGLE):
        raise ModelError(
            f"model {folder.name}: {GRAPH} was made of other weights than {SINGLE}; make it again (python -m "
            f"amrg.models.graph.exporting FOLDER), or remove it to compute with torch"
        )
    return GraphModel(folder, tower, decoder, prompt, Phrases.load(folder), settings)
