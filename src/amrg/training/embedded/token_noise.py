"""Image tokens varied at random, so that the language model cannot know a training breast by its numbers.

A breast is read hundreds of times while the language model is trained. With tokens that are always the same it learns
them by heart: its loss on its own exams was half of that on others (docs/lab-notes.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amrg.models.embedded.attributes import COMPOSITIONS, KINDS
from amrg.models.embedded.mammogram_tower import STATED, VALUES

LOGITS = 0.3  # greatest standard deviation of what is added to the logit of a probability
SHARES = 0.3  # of what is added to the logarithm of a descriptor's or a composition's share
FEATURES = 0.1  # of what is added to each of the features, which have a length of 1 together

_PROBABILITIES = slice(2, 4 + len(KINDS))
_DESCRIPTORS = slice(_PROBABILITIES.stop, _PROBABILITIES.stop + VALUES)
_COMPOSITION = slice(STATED - 1 - len(COMPOSITIONS), STATED - 1)
_SUSPICION = slice(STATED - 1, STATED)
_FEATURES = slice(STATED, None)
_SMALLEST = 1e-4  # probability whose logit is taken for that of 0

Tokens = npt.NDArray[np.float32]


def vary_tokens(tokens: Tokens, rng: np.random.Generator) -> Tokens:
    """Image tokens [..., width] as another image of the same breast might have given them; where they are, stays.

    How much is drawn from nothing to the greatest, for all of them together. Tokens without a place stay 0.
    """
    strength = rng.uniform()
    varied = tokens.copy()
    view, place = (tokens[..., i : i + 1] > 0 for i in (0, 1))

    def noise(part: slice, deviation: float) -> Tokens:
        return rng.normal(0, strength * deviation, tokens[..., part].shape).astype(np.float32)

    for part, where in ((_PROBABILITIES, place), (_SUSPICION, view)):
        logits = _logits(tokens[..., part]) + noise(part, LOGITS)
        varied[..., part] = np.where(where, 1 / (1 + np.exp(-logits)), tokens[..., part])
    for part in (_DESCRIPTORS, _COMPOSITION):
        varied[..., part] *= np.exp(noise(part, SHARES))
    features = tokens[..., _FEATURES] + noise(_FEATURES, FEATURES)
    length = np.linalg.norm(features, axis=-1, keepdims=True) + np.float32(1e-6)
    varied[..., _FEATURES] = np.where(view | place, features / length, tokens[..., _FEATURES])
    return varied


def _logits(probabilities: Tokens) -> Tokens:
    inside = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    logits: Tokens = np.log(inside / (1 - inside)).astype(np.float32)
    return logits
