"""Run by itself, without amrg: what transformers alone makes of exported folders, of the same images and chats.

`python by_transformers.py FOLDER...`: each has `images.npy` (uint8 [N, H, W, 3]) and `chat.json` next to its export,
and gets `found.json`, with the prompt's numbers, the pixels' sum and size, image tokens and the greedy answer.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor


def found_in(folder: Path) -> dict[str, Any]:
    """What the parts of a folder give: pixels always, the prompt and the answer where its processor can be built."""
    images = [Image.fromarray(image) for image in np.load(folder / "images.npy")]
    maker = AutoImageProcessor.from_pretrained(folder / "export")
    alone = maker(images=images, return_tensors="pt")
    torch.save(alone["pixel_values"], folder / "found.pt")
    found: dict[str, Any] = {
        "grid": alone["image_grid_thw"].tolist() if "image_grid_thw" in alone else None,
        "by_pillow": type(maker).__name__.endswith("Pil"),
    }
    try:
        processor = AutoProcessor.from_pretrained(folder / "export")
    except ImportError as error:  # of torchvision, which transformers needs for videos
        return found | {"lacks": str(error).strip().splitlines()[0]}
    chat, pictures = json.loads((folder / "chat.json").read_text(encoding="utf-8")), iter(images)
    for item in chat[0]["content"]:
        if item["type"] == "image":
            item["image"] = next(pictures)
    made = processor.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    torch.save(made["pixel_values"], folder / "found.pt")
    model = AutoModelForImageTextToText.from_pretrained(folder / "export", dtype=torch.float32).eval()
    answer = model.generate(**made, max_new_tokens=12, do_sample=False)[0, made["input_ids"].shape[1] :]
    tokens = int((made["input_ids"] == model.config.image_token_id).sum())
    return found | {"ids": made["input_ids"][0].tolist(), "answer": answer.tolist(), "image_tokens": tokens}


for given in map(Path, sys.argv[1:]):
    document = found_in(given)
    assert "amrg" not in sys.modules
    (given / "found.json").write_text(json.dumps(document), encoding="utf-8")
