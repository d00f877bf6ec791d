"""Gemma 3's language model in numpy: the embedded model's few layers, where a call into torch costs more than the sums.

The same numbers as `transformers.models.gemma3` in float32, up to rounding (docs/decisions/0031-a-graph-and-numpy.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from amrg.models.errors import ModelError

Floats = npt.NDArray[np.float32]
_GELU = float(np.sqrt(2 / np.pi))


@dataclass(frozen=True)
class Layer:
    """The weights of one layer, as they multiply from the right; norms with the 1 that Gemma adds to them."""

    before_attention: Floats
    qkv: Floats
    q_norm: Floats
    k_norm: Floats
    out: Floats
    after_attention: Floats
    before_mlp: Floats
    gate_up: Floats
    down: Floats
    after_mlp: Floats


@dataclass(frozen=True)
class Decoder:
    """A language model ready to read: embeddings [vocabulary, width], layers, last norm, and how it attends."""

    embeddings: Floats
    layers: tuple[Layer, ...]
    norm: Floats
    heads: int
    kv_heads: int
    head_width: int
    scale: float
    epsilon: float
    rope_theta: float

    def embed(self, tokens: Sequence[int]) -> Floats:
        """Token embeddings [T, width], scaled as Gemma scales them."""
        scaled: Floats = self.embeddings[np.asarray(tokens, np.int64)] * np.float32(self.embeddings.shape[1] ** 0.5)
        return scaled

    def start(self, capacity: int) -> DecoderState:
        """A state for up to `capacity` tokens, none of them read."""
        shape = (len(self.layers), self.kv_heads, capacity, self.head_width)
        return DecoderState(self, np.empty(shape, np.float32), np.empty(shape, np.float32), *self._rope(capacity))

    def _rope(self, positions: int) -> tuple[Floats, Floats]:
        """Cosines and sines [positions, head width] of rotary positions (Su 2021)."""
        powers = np.arange(0, self.head_width, 2, dtype=np.float32) / np.float32(self.head_width)
        frequencies = (1.0 / (np.float32(self.rope_theta) ** powers)).astype(np.float32)
        angles = np.arange(positions, dtype=np.float32)[:, None] * frequencies
        both = np.concatenate([angles, angles], 1)
        return np.cos(both), np.sin(both)


class DecoderState:
    """What a decoder has read: keys and values of every token so far, [layers, heads, capacity, head width]."""

    def __init__(self, decoder: Decoder, keys: Floats, values: Floats, cosines: Floats, sines: Floats) -> None:
        self._decoder = decoder
        self._keys, self._values = keys, values
        self._cosines, self._sines = cosines, sines
        self.length = 0

    def read_prompt(self, embedded: Floats, images: Sequence[tuple[int, int]]) -> int:
        """Read a prompt [T, width] and return the most probable next token.

        `images` are the ranges of each image's tokens, which attend to one another in both directions.
        """
        count = len(embedded)
        allowed = np.tri(count, dtype=bool)
        for start, end in images:
            allowed[start:end, start:end] = True
        return int(self.logits(self.hidden(embedded, allowed)[-1:])[0].argmax())

    def advance(self, tokens: Sequence[int]) -> list[int]:
        """Read tokens after what was read; the most probable token after each of them."""
        count, before = len(tokens), self.length
        allowed = np.tri(count, before + count, before, dtype=bool)
        best: list[int] = self.logits(self.hidden(self._decoder.embed(tokens), allowed)).argmax(1).tolist()
        return best

    def rewind(self, count: int) -> None:
        """Forget the last tokens."""
        self.length -= count

    def logits(self, hidden: Floats) -> Floats:
        """Logits [T, vocabulary] of hidden states [T, width]."""
        model = self._decoder
        return np.asarray(_normed(hidden, model.norm, model.epsilon) @ model.embeddings.T, np.float32)

    def hidden(self, x: Floats, allowed: npt.NDArray[np.bool_]) -> Floats:
        """Read embeddings [T, width]; their hidden states after the last layer.

        `allowed` [T, read + T] says what may attend to what.
        """
        model = self._decoder
        mask = np.where(allowed, np.float32(0), np.float32(-np.inf))
        for number, layer in enumerate(model.layers):
            normed = _normed(x, layer.before_attention, model.epsilon)
            attended = self._attend(number, layer, normed @ layer.qkv, mask)
            x = x + _normed(attended @ layer.out, layer.after_attention, model.epsilon)
            gate, up = _halves(_normed(x, layer.before_mlp, model.epsilon) @ layer.gate_up)
            gated: Floats = _gelu(gate) * up
            x = x + _normed(gated @ layer.down, layer.after_mlp, model.epsilon)
        self.length += len(x)
        return x

    def _attend(self, number: int, layer: Layer, qkv: Floats, mask: Floats) -> Floats:
        """Grouped-query attention over what was read and these tokens: [T, heads * head width]."""
        model, start, count = self._decoder, self.length, len(qkv)
        end, groups, width = start + count, model.heads // model.kv_heads, model.head_width
        split = qkv.reshape(count, model.heads + 2 * model.kv_heads, width)
        queries = self._turned(_normed(split[:, : model.heads], layer.q_norm, model.epsilon))
        keys = split[:, model.heads : model.heads + model.kv_heads]
        self._keys[number, :, start:end] = self._turned(_normed(keys, layer.k_norm, model.epsilon)).transpose(1, 0, 2)
        self._values[number, :, start:end] = split[:, model.heads + model.kv_heads :].transpose(1, 0, 2)
        grouped = queries.reshape(count, model.kv_heads, groups, width).transpose(1, 2, 0, 3)
        scores = grouped.reshape(model.kv_heads, groups * count, width) @ self._keys[number, :, :end].swapaxes(1, 2)
        weights = _softmax(scores.reshape(model.kv_heads, groups, count, end) * np.float32(model.scale) + mask)
        mixed = weights.reshape(model.kv_heads, groups * count, end) @ self._values[number, :, :end]
        return mixed.reshape(model.kv_heads, groups, count, width).transpose(2, 0, 1, 3).reshape(count, -1)

    def _turned(self, x: Floats) -> Floats:
        """Heads [T, heads, width] turned by their positions, the next ones to be read."""
        place = slice(self.length, self.length + len(x))
        first, second = _halves(x)
        across = np.concatenate([-second, first], -1)
        return np.asarray(x * self._cosines[place, None] + across * self._sines[place, None], np.float32)


def _halves(x: Floats) -> tuple[Floats, Floats]:
    """Both halves of the last axis; `np.split` took a tenth of a reading (lab notes)."""
    middle = x.shape[-1] // 2
    return x[..., :middle], x[..., middle:]


def _normed(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """Root mean square norm over the last axis."""
    square = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1])
    normed: Floats = x * (1 / np.sqrt(square + np.float32(epsilon))) * weight
    return normed


def _softmax(scores: Floats) -> Floats:
    """Over the last axis, in place."""
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return scores


def _gelu(x: Floats) -> Floats:
    """`gelu_pytorch_tanh`."""
    activated: Floats = 0.5 * x * (1 + np.tanh(np.float32(_GELU) * (x + np.float32(0.044715) * x * x * x)))
    return activated


def build_decoder(config: Mapping[str, Any], weights: Mapping[str, Floats]) -> Decoder:
    """The decoder of a Gemma 3 text configuration and its weights, by their names in the checkpoint.

    Raises:
        ModelError: the configuration asks for something that is not written here.
    """
    _refuse_unknown(config)
    prefix = "language_model.model."
    layers = tuple(_layer(weights, f"{prefix}layers.{i}.") for i in range(config["num_hidden_layers"]))
    return Decoder(
        embeddings=weights[f"{prefix}embed_tokens.weight"],
        layers=layers,
        norm=1 + weights[f"{prefix}norm.weight"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_width=config["head_dim"],
        scale=config["query_pre_attn_scalar"] ** -0.5,
        epsilon=config["rms_norm_eps"],
        rope_theta=config["rope_parameters"]["full_attention"]["rope_theta"],
    )


_EXPECTED = {
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "use_bidirectional_attention": False,
}


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    """Refuse a configuration that would be computed wrongly.

    Raises:
        ModelError: names the field.
    """
    found = {name: config.get(name, value) for name, value in _EXPECTED.items()}
    found["layer_types"] = sorted(set(config["layer_types"]))
    found["rope_type"] = config["rope_parameters"]["full_attention"]["rope_type"]
    for name, value in (_EXPECTED | {"layer_types": ["full_attention"], "rope_type": "default"}).items():
        if found[name] != value:
            raise ModelError(f"config.json: text_config.{name} is {found[name]!r}; computed without torch is {value!r}")


def _layer(weights: Mapping[str, Floats], prefix: str) -> Layer:
    """One layer's weights."""

    def side_by_side(*names: str) -> Floats:
        return np.ascontiguousarray(np.concatenate([weights[f"{prefix}{name}.weight"] for name in names]).T)

    def norm(name: str) -> Floats:
        return 1 + weights[f"{prefix}{name}.weight"]

    return Layer(
        before_attention=norm("input_layernorm"),
        qkv=side_by_side("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        q_norm=norm("self_attn.q_norm"),
        k_norm=norm("self_attn.k_norm"),
        out=side_by_side("self_attn.o_proj"),
        after_attention=norm("post_attention_layernorm"),
        before_mlp=norm("pre_feedforward_layernorm"),
        gate_up=side_by_side("mlp.gate_proj", "mlp.up_proj"),
        down=side_by_side("mlp.down_proj"),
        after_mlp=norm("post_feedforward_layernorm"),
    )
