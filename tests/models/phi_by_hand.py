"""Phi-3.5-vision once more, in numpy and loops, from weights under their published names. Slow and plain.

Written from the papers and the published description alone: Phi-3 (arXiv 2404.14219), LongRoPE (2402.13753), CLIP
(2103.00020), the HD transform of InternLM-XComposer2-4KHD (2404.06512).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]
PICTURES = "model.vision_embed_tokens."
CLIP = PICTURES + "img_processor.vision_model."


def softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())


def gelu(x: Array) -> Array:
    return np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)  # type: ignore[no-any-return]


def linear(x: Array, weights: Weights, name: str) -> Array:
    return x @ weights[name + ".weight"].T + weights.get(name + ".bias", np.zeros(1))


def layer_norm(x: Array, weights: Weights, name: str) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return np.asarray(normed * weights[name + ".weight"] + weights[name + ".bias"])


def rms_norm(x: Array, weights: Weights, name: str) -> Array:
    return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weights[name + ".weight"])


# The tower


def clip_layers(weights: Weights, config: Mapping[str, Any], crop: Array) -> list[Array]:
    """States [1 + patches, width] of one crop [3, size, size] after every layer."""
    side, size = config["patch_size"], config["image_size"]
    kernel = weights[CLIP + "embeddings.patch_embedding.weight"]
    rows = [weights[CLIP + "embeddings.class_embedding"]]
    for top in range(0, size, side):
        for left in range(0, size, side):
            patch = crop[:, top : top + side, left : left + side]
            rows.append((kernel * patch).sum((1, 2, 3)))
    states = np.stack(rows) + weights[CLIP + "embeddings.position_embedding.weight"]
    states = layer_norm(states, weights, CLIP + "pre_layrnorm")
    after = []
    for n in range(config["num_hidden_layers"]):
        name = f"{CLIP}encoder.layers.{n}."
        states = states + clip_attention(layer_norm(states, weights, name + "layer_norm1"), weights, name, config)
        inner = linear(layer_norm(states, weights, name + "layer_norm2"), weights, name + "mlp.fc1")
        states = states + linear(inner / (1 + np.exp(-1.702 * inner)), weights, name + "mlp.fc2")  # quick GELU
        after.append(states)
    return after


def clip_attention(x: Array, weights: Weights, name: str, config: Mapping[str, Any]) -> Array:
    heads = config["num_attention_heads"]
    q, k, v = (np.split(linear(x, weights, f"{name}self_attn.{p}_proj"), heads, -1) for p in "qkv")
    attended = [
        np.stack([softmax(key @ row / math.sqrt(len(row))) @ value for row in query])
        for query, key, value in zip(q, k, v, strict=True)
    ]
    return linear(np.concatenate(attended, -1), weights, name + "self_attn.out_proj")


# From tower to image tokens


def image_tokens(weights: Weights, crops: Array, rows: int, columns: int) -> Array:
    """Image tokens of one picture from states [1 + crops, patches, width], class token left out, overview first."""
    laid = lines(weights, crops[1:], rows, columns)
    laid.append(weights[PICTURES + "glb_GN"].reshape(-1))
    laid += lines(weights, crops[:1], 1, 1)
    inner = gelu(linear(np.stack(laid), weights, PICTURES + "img_projection.0"))
    return linear(inner, weights, PICTURES + "img_projection.2")


def lines(weights: Weights, crops: Array, rows: int, columns: int) -> list[Array]:
    side = math.isqrt(crops.shape[1])
    found = []
    for y in range(0, rows * side, 2):
        for x in range(0, columns * side, 2):
            four = []
            for down in (0, 1):
                for right in (0, 1):
                    crop = crops[(y + down) // side * columns + (x + right) // side]
                    four.append(crop[(y + down) % side * side + (x + right) % side])
            found.append(np.concatenate(four))
        found.append(weights[PICTURES + "sub_GN"].reshape(-1))
    return found


# The language model


def language_layers(weights: Weights, config: Mapping[str, Any], states: Array) -> list[Array]:
    """States [T, width] after every layer, from embeddings, then normed at last."""
    after = []
    for n in range(config["num_hidden_layers"]):
        name = f"model.layers.{n}."
        states = states + attention(rms_norm(states, weights, name + "input_layernorm"), weights, name, config)
        both = linear(rms_norm(states, weights, name + "post_attention_layernorm"), weights, name + "mlp.gate_up_proj")
        gate, up = both[:, : config["intermediate_size"]], both[:, config["intermediate_size"] :]
        states = states + linear(up * gate / (1 + np.exp(-gate)), weights, name + "mlp.down_proj")
        after.append(states)
    return [*after, rms_norm(states, weights, "model.norm")]


def attention(x: Array, weights: Weights, name: str, config: Mapping[str, Any]) -> Array:
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    width = config["hidden_size"] // heads
    fused = np.split(linear(x, weights, name + "self_attn.qkv_proj"), heads + 2 * groups, -1)
    queries = [turned(q, config) for q in fused[:heads]]
    keys = [turned(k, config) for k in fused[heads : heads + groups]]
    values = fused[heads + groups :]
    attended = []
    for head, query in enumerate(queries):
        key, value = keys[head * groups // heads], values[head * groups // heads]
        rows = [softmax(key[: t + 1] @ query[t] / math.sqrt(width)) @ value[: t + 1] for t in range(len(x))]
        attended.append(np.stack(rows))
    return linear(np.concatenate(attended, -1), weights, name + "self_attn.o_proj")


def turned(x: Array, config: Mapping[str, Any]) -> Array:
    """Each half-width pair of a head [T, width] turned by its position, short or long by the number of positions."""
    before, half = config["original_max_position_embeddings"], x.shape[1] // 2
    factors = config["rope_scaling"]["long_factor" if len(x) > before else "short_factor"]
    scale = math.sqrt(1 + math.log(config["max_position_embeddings"] / before) / math.log(before))
    found = np.empty_like(x)
    for t in range(len(x)):
        for i in range(half):
            angle = t / (factors[i] * config["rope_theta"] ** (2 * i / x.shape[1]))
            found[t, i] = scale * (x[t, i] * math.cos(angle) - x[t, i + half] * math.sin(angle))
            found[t, i + half] = scale * (x[t, i + half] * math.cos(angle) + x[t, i] * math.sin(angle))
    return found


# Cutting pictures


def cut(picture: Image.Image, most: int, side: int) -> tuple[Array, int, int]:
    """Normed crops [1 + crops, 3, side, side] of one picture, overview first; rows and columns of them."""
    upright = picture.height > picture.width
    lying = np.array(picture).swapaxes(0, 1) if upright else np.array(picture)
    ratio = lying.shape[1] / lying.shape[0]
    columns = max(n for n in range(1, most + 1) if n * math.ceil(n / ratio) <= most)
    height = int(columns * side / ratio)
    rows = math.ceil(height / side)
    sized = np.array(Image.fromarray(lying).resize((columns * side, height), Image.Resampling.BILINEAR))
    whole = np.full((rows * side, columns * side, 3), 255, np.uint8)
    top = (rows * side - height) // 2
    whole[top : top + height] = sized
    if upright:
        whole, rows, columns = whole.swapaxes(0, 1), columns, rows
    normed = whole / 255.0 - np.array([0.48145466, 0.4578275, 0.40821073])
    normed = (normed / np.array([0.26862954, 0.26130258, 0.27577711])).transpose(2, 0, 1)
    crops = [
        normed[:, y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(rows) for x in range(columns)
    ]
    overview = shrunk(shrunk(normed, side).swapaxes(1, 2), side).swapaxes(1, 2)
    return np.stack([overview, *crops]), rows, columns


def shrunk(pixels: Array, side: int) -> Array:
    """Columns of pixels [3, height, width] interpolated to `side` by cubic convolution (Keys 1981, a = -0.75)."""
    width = pixels.shape[2]
    found = np.zeros((*pixels.shape[:2], side))
    for x in range(side):
        at = (x + 0.5) * width / side - 0.5
        for tap in range(math.floor(at) - 1, math.floor(at) + 3):
            found[:, :, x] += cubic(abs(at - tap)) * pixels[:, :, min(max(tap, 0), width - 1)]
    return found


def cubic(d: float) -> float:
    a = -0.75
    return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
