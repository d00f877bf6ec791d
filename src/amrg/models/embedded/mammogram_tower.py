"""The embedded model's tower: it finds candidates in a view and gives the language model one token for each.

EfficientNet-Lite0 with a feature pyramid (Lin 2017) down to cells of 8 pixels. Every cell predicts kinds, malignancy,
descriptors and a box; the most probable places get a second look. They and the view as a whole are the image tokens, so
that a report is written from places that can be marked. Importing this module registers it with transformers under the
model type `amrg_mammogram_tower`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, initialization
from transformers.utils import ModelOutput

from amrg.models.embedded.attributes import ATTRIBUTES, COMPOSITIONS, PLACES
from amrg.models.embedded.candidates import BACKGROUND, CELL, columns_read
from amrg.models.embedded.efficientnet import READ, STAGES, EfficientNetLite0
from amrg.models.embedded.region_head import Correction, PlaceLogits, RegionHead

SIDE = 4  # image tokens a side, as Gemma's projector counts them
CANDIDATES = SIDE * SIDE - 1  # all tokens of a view but one, which is the view as a whole
BINS = 8  # of a coordinate or an extent in a token
RARE = -4.0  # logit of a finding at a place, to start from
UNREAD = -30.0  # logit of a finding in columns that are not read
VALUES = sum(len(values) for values in ATTRIBUTES.values())
STATED = 2 + PLACES + VALUES + 4 * BINS + len(COMPOSITIONS) + 1
"""Of a token's numbers, those that state what is predicted: whether it is the view or a place; lesion, malignant,
kinds; descriptors; centre and extent; composition and suspicion. The others are features."""


class MammogramTowerConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """Width of the pyramid, and what Gemma's projector asks of a tower: hidden size, image size, patch size."""

    model_type = "amrg_mammogram_tower"

    def __init__(
        self,
        image_size: int = 512,
        pyramid_width: int = 96,
        hidden_size: int = 192,
        num_channels: int = 3,
        layer_norm_eps: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.patch_size = image_size // SIDE
        self.pyramid_width = pyramid_width
        self.hidden_size = hidden_size
        self.num_channels = num_channels
        self.layer_norm_eps = layer_norm_eps
        kwargs.pop("patch_size", None)
        super().__init__(**kwargs)


@dataclass
class ViewMaps(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """What every cell of a view, and the view as a whole, predicts; logits, but for `boxes`.

    `lesion`, `malignant` [B, rows, columns]; `kinds` [B, kinds, rows, columns]; `attributes` name to
    [B, values, rows, columns]; `boxes` [B, 4, rows, columns], the distances to left, top, right and bottom in cells;
    `composition` [B, 4]; `suspicion` [B].
    """

    lesion: Tensor | None = None
    malignant: Tensor | None = None
    kinds: Tensor | None = None
    attributes: dict[str, Tensor] | None = None
    boxes: Tensor | None = None
    composition: Tensor | None = None
    suspicion: Tensor | None = None


class Pyramid(nn.Module):
    """Feature maps from fine to coarse, added up from coarse to fine (Lin 2017), with every cell's position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        read = [STAGES[i].width for i in READ]
        self.finest = nn.Conv2d(read[0], width, 3, 2, 1)
        self.lateral = nn.ModuleList(nn.Conv2d(w, width, 1) for w in read[1:])
        self.whole = nn.Linear(read[-1], width)
        self.merge = nn.ModuleList(nn.Conv2d(width + extra, width, 3, padding=1) for extra in (2, 0, 2))
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: list[Tensor], whole: Tensor) -> Tensor:
        """Four maps, finest first, and the mean [B, channels] of the coarsest, to [B, width, H / 8, W / 8]."""
        fine, middle, coarse = (lateral(m) for lateral, m in zip(self.lateral, maps[1:], strict=True))
        top = self.merge[2](_with_position(coarse)) + self.whole(whole)[:, :, None, None]
        x = self.merge[1](middle + functional.interpolate(functional.relu(top), scale_factor=2))
        x = fine + self.finest(maps[0]) + functional.interpolate(functional.relu(x), scale_factor=2)
        x = functional.relu(self.merge[0](_with_position(x)))
        return functional.relu(self.last(x))


def _with_position(x: Tensor) -> Tensor:
    """[B, C, H, W] with two more channels: rows from -1 to 1, columns in the same unit from 0 (CoordConv, Liu 2018)."""
    batch, _, height, width = x.shape
    down = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).view(1, 1, -1, 1)
    across = (torch.arange(width, dtype=x.dtype, device=x.device) * (2 / height)).view(1, 1, 1, -1)
    return torch.cat([x, down.expand(batch, 1, height, width), across.expand(batch, 1, height, width)], 1)


class ReadOut(nn.Conv2d):
    """A linear read-out of every cell, which starts from one logit everywhere."""

    def __init__(self, width: int, values: int, start: float = 0.0) -> None:
        super().__init__(width, values, 1)
        self.start = start


class ViewHeads(nn.Module):
    """Read-outs of every cell, linear, and of the whole view."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.places = ReadOut(width, PLACES, RARE)
        self.attributes = nn.ModuleDict({name: ReadOut(width, len(v)) for name, v in ATTRIBUTES.items()})
        self.boxes = ReadOut(width, 4)
        pooled = 2 * STAGES[-1].width
        self.composition = nn.Linear(pooled, len(COMPOSITIONS))
        self.suspicion = nn.Linear(pooled + PLACES, 1)  # the surest place of every kind, beside the whole

    def forward(self, cells: Tensor, pooled: Tensor) -> ViewMaps:
        """Cells [B, width, rows, columns] and pooled features [B, 2 * 320] to logits."""
        places = self.places(cells)
        surest = places.float().amax((2, 3))
        return ViewMaps(
            lesion=places[:, 0],
            malignant=places[:, 1],
            kinds=places[:, 2:],
            attributes={name: head(cells) for name, head in self.attributes.items()},
            boxes=functional.softplus(self.boxes(cells)),
            composition=self.composition(pooled),
            suspicion=self.suspicion(torch.cat([pooled, surest.to(pooled.dtype)], 1))[:, 0],
        )


@dataclass
class MammogramTowerOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """Image tokens [B, tokens, hidden size], what cells and views predict, and what is predicted of the candidates."""

    last_hidden_state: Tensor | None = None
    maps: ViewMaps | None = None
    candidates: Tensor | None = None  # [B, candidates] cell of each candidate, row by row; -1 where there is none
    found: PlaceLogits | None = None  # of the candidates, after the second look


class FirstLook(NamedTuple):
    """Views as the maps show them.

    `candidates` int64 [B, n] as in `MammogramTowerOutput`; `found` is what is predicted of them, `features`
    [B, n, width] are those of their cells, and `rows` and `columns` int64 [B, n] where these are. `finest`
    [B, channels, H / 4, W / 4] and `pooled` [B, 2 * 320] are features of the views.
    """

    maps: ViewMaps
    candidates: Tensor
    found: PlaceLogits
    features: Tensor
    rows: Tensor
    columns: Tensor
    finest: Tensor
    pooled: Tensor


class MammogramTower(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """Pixels [B, 3, H, W] in -1..1 to one token for the view and one for each of its candidates."""

    config_class = MammogramTowerConfig
    main_input_name = "pixel_values"

    def __init__(self, config: MammogramTowerConfig) -> None:
        super().__init__(config)
        width = config.pyramid_width
        self.backbone = EfficientNetLite0(config.num_channels)
        self.pyramid = Pyramid(width)
        self.heads = ViewHeads(width)
        self.regions = RegionHead(STAGES[READ[0]].width, width)
        self.detail = nn.Linear(width, config.hidden_size - STATED)
        self.summary = nn.Linear(2 * STAGES[-1].width, config.hidden_size - STATED)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own initialisation; findings are rare, so that their heads start from "nothing here".

        Through transformers' own functions, which leave alone what was loaded from a checkpoint.
        """
        if isinstance(module, ReadOut):
            initialization.normal_(module.weight, std=0.01)
            initialization.constant_(module.bias, module.start)
        elif isinstance(module, Correction):
            initialization.zeros_(module.weight)
            initialization.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            initialization.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                initialization.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, **_: Any) -> MammogramTowerOutput:
        """Image tokens, and what they are made of.

        Every view is read by itself, up to the last column with breast: what is to the right of it tells nothing and
        would take half of the time.
        """
        inside = (pixel_values[:, 0] > BACKGROUND).cpu().numpy()
        read = [self.read(view[None, :, :, : columns_read(b)]) for view, b in zip(pixel_values, inside, strict=True)]
        return _together(read, pixel_values.shape[3] // CELL)

    def read(self, pixel_values: Tensor) -> MammogramTowerOutput:
        """Image tokens of views of one width, H and W multiples of 32, with all their columns read."""
        first = self.look(pixel_values)
        found = first.found.plus(self.regions(first.finest, first.features, first.rows, first.columns))
        return MammogramTowerOutput(self._tokens(first, found), first.maps, first.candidates, found)

    def predict(self, pixel_values: Tensor) -> ViewMaps:
        """What cells and views predict, without tokens; H and W may be any multiples of 32."""
        pooled, _, cells = self._features(pixel_values, _breast(pixel_values))
        found: ViewMaps = self.heads(cells, pooled)
        return found

    def look(self, pixel_values: Tensor) -> FirstLook:
        """Candidates of views of one width, before the second look at them."""
        breast = _breast(pixel_values)
        pooled, finest, cells = self._features(pixel_values, breast)
        maps = self.heads(cells, pooled)
        candidates = find_candidates(maps, _shrunk(breast, cells)[:, 0] > 0)
        at = candidates.clamp(min=0)
        rows, columns = values_at(_cell_indices(cells).expand(len(at), -1, -1, -1), at).unbind(-1)
        return FirstLook(maps, candidates, found_at(maps, at), values_at(cells, at), rows, columns, finest, pooled)

    def _features(self, pixels: Tensor, breast: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features pooled over the breast, the finest ones, and cells of the pyramid."""
        maps = self.backbone(pixels.to(memory_format=torch.channels_last))
        pooled = _pool(maps[-1].to(breast.dtype), breast)
        return pooled, maps[0], self.pyramid(maps, pooled[:, : STAGES[-1].width])

    def _tokens(self, first: FirstLook, found: PlaceLogits) -> Tensor:
        """The view's token, then its candidates': what is stated of each, and features beside."""
        view = torch.cat([stated_of_view(first.maps), _unit(self.summary(first.pooled))], -1)
        places = torch.cat([stated_of_places(found, first), _unit(self.detail(first.features))], -1)
        places = places * (first.candidates >= 0)[..., None]
        return torch.cat([view[:, None], places], 1).to(self.detail.weight.dtype)


def _together(read: Sequence[Any], columns: int) -> MammogramTowerOutput:
    """Outputs of several widths, every field of them set, as one of `columns` cells across.

    Nothing is found where nothing was read.
    """
    maps = [one.maps for one in read]
    return MammogramTowerOutput(
        torch.cat([one.last_hidden_state for one in read]),
        ViewMaps(
            *(_wide([m[name] for m in maps], columns, UNREAD) for name in ("lesion", "malignant", "kinds")),
            {name: _wide([m.attributes[name] for m in maps], columns, 0.0) for name in ATTRIBUTES},
            _wide([m.boxes for m in maps], columns, 0.0),
            torch.cat([m.composition for m in maps]),
            torch.cat([m.suspicion for m in maps]),
        ),
        torch.cat([_wide_cells(one.candidates, one.maps.lesion.shape[2], columns) for one in read]),
        PlaceLogits(
            torch.cat([one.found.places for one in read]),
            {name: torch.cat([one.found.attributes[name] for one in read]) for name in ATTRIBUTES},
            torch.cat([one.found.boxes for one in read]),
        ),
    )


def _wide(grids: Sequence[Tensor], columns: int, value: float) -> Tensor:
    """Grids [1, ..., rows, any columns] one after another, each filled up at the right."""
    return torch.cat([functional.pad(grid, (0, columns - grid.shape[-1]), value=value) for grid in grids])


def _wide_cells(cells: Tensor, before: int, columns: int) -> Tensor:
    """Cells counted in rows of `before` columns, counted in rows of `columns`; -1 stays."""
    return torch.where(cells < 0, cells, torch.div(cells, before, rounding_mode="floor") * columns + cells % before)


def _breast(pixels: Tensor) -> Tensor:
    """Which pixels are breast: 1 or 0, [B, 1, H, W]."""
    return (pixels[:, :1] > BACKGROUND).to(pixels.dtype)


def _shrunk(breast: Tensor, grid: Tensor) -> Tensor:
    """The share of breast in every place of a coarser grid, [B, 1, rows, columns]."""
    return functional.avg_pool2d(breast, breast.shape[2] // grid.shape[2])


def _pool(coarse: Tensor, breast: Tensor) -> Tensor:
    """Mean and greatest value of every feature over the breast, [B, 2 * channels]; 0 where there is no breast."""
    weight = _shrunk(breast, coarse)
    mean = (coarse * weight).sum((2, 3)) / weight.sum((2, 3)).clamp(min=1.0)
    inside = weight > 0.1
    greatest = coarse.masked_fill(~inside, -torch.inf).amax((2, 3))
    return torch.cat([mean, torch.where(inside.any((2, 3)), greatest, torch.zeros_like(greatest))], 1)


def _unit(x: Tensor) -> Tensor:
    """Scaled to length 1, so that features do not drown what is stated."""
    return functional.normalize(x, dim=-1, eps=1e-3)


def place_score(found: ViewMaps) -> Tensor:
    """The logit of the most probable kind of every cell, or of a lesion of any kind, [B, rows, columns]."""
    assert found.kinds is not None
    assert found.lesion is not None
    return torch.maximum(found.kinds.amax(1), found.lesion)


def find_candidates(found: ViewMaps, inside: Tensor) -> Tensor:
    """The most probable cells that are a maximum among their neighbours, [B, candidates], best first.

    `inside` is bool [B, rows, columns]: cells with any breast. -1 where a view has fewer.
    """
    score = place_score(found).masked_fill(~inside, -torch.inf)
    peak = functional.max_pool2d(score[:, None], 3, 1, 1)[:, 0]
    score = score.masked_fill(score < peak, -torch.inf).flatten(1)
    best, cells = score.topk(min(CANDIDATES, score.shape[1]), 1)
    found_at = torch.where(best.isfinite(), cells, torch.full_like(cells, -1))
    return functional.pad(found_at, (0, CANDIDATES - found_at.shape[1]), value=-1)


def values_at(grid: Tensor, cells: Tensor) -> Tensor:
    """Values of [B, channels, rows, columns] at cells [B, n]: [B, n, channels]."""
    return grid.flatten(2).transpose(1, 2).gather(1, cells[..., None].expand(-1, -1, grid.shape[1]))


def found_at(maps: ViewMaps, cells: Tensor) -> PlaceLogits:
    """What is predicted at cells [B, n]."""
    assert maps.attributes is not None
    assert maps.boxes is not None
    attributes = {name: values_at(logits, cells) for name, logits in maps.attributes.items()}
    return PlaceLogits(values_at(place_logits(maps), cells), attributes, values_at(maps.boxes, cells))


def place_logits(maps: ViewMaps) -> Tensor:
    """The logits of a lesion of any kind, of a malignant one and of each kind, [B, `PLACES`, rows, columns]."""
    assert maps.kinds is not None
    assert maps.lesion is not None
    assert maps.malignant is not None
    return torch.cat([maps.lesion[:, None], maps.malignant[:, None], maps.kinds], 1)


def stated_of_places(found: PlaceLogits, first: FirstLook) -> Tensor:
    """What is predicted of the candidates, as the first numbers of their tokens [B, n, STATED]."""
    places = found.places.sigmoid()
    lesion, kinds = places[..., :1], places[..., 2:]
    sure = torch.maximum(kinds.amax(-1, keepdim=True), lesion)
    described = [sure * logits.softmax(-1) for logits in found.attributes.values()]
    left, top, right, bottom = found.boxes.unbind(-1)
    assert first.maps.lesion is not None
    rows = first.maps.lesion.shape[1]  # both ways by the rows: a breast has as many columns as it needs
    x = (first.columns + 0.5 + (right - left) / 2) / rows
    y = (first.rows + 0.5 + (bottom - top) / 2) / rows
    extents = [((extent.clamp(min=0.25) * 4).log2() / 8) for extent in (left + right, top + bottom)]
    where = [_bins(value) for value in (x, y, *extents)]
    flags = torch.stack([torch.zeros_like(x), torch.ones_like(x)], -1)
    rest = torch.zeros(*x.shape, len(COMPOSITIONS) + 1, dtype=x.dtype, device=x.device)
    return torch.cat([flags, places, *described, *where, rest], -1)


def _cell_indices(cells: Tensor) -> Tensor:
    """Row and column of every cell of [B, C, rows, columns], int64 [1, 2, rows, columns]: a remainder by a width not
    known is no ONNX."""
    rows, columns = (torch.arange(count, device=cells.device) for count in cells.shape[2:])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]


def stated_of_view(found: ViewMaps) -> Tensor:
    """What is predicted of the view as a whole, as the first numbers of its token [B, STATED]."""
    assert found.composition is not None
    assert found.suspicion is not None
    composition = found.composition.softmax(-1)
    flags = torch.stack([torch.ones_like(composition[:, 0]), torch.zeros_like(composition[:, 0])], -1)
    between = composition.new_zeros(len(composition), STATED - 3 - len(COMPOSITIONS))
    return torch.cat([flags, between, composition, found.suspicion.sigmoid()[:, None]], -1)


def _bins(value: Tensor) -> Tensor:
    """A number of 0..1 spread over the nearest two of `BINS` bins, [..., BINS]."""
    centres = torch.linspace(0, 1, BINS, dtype=value.dtype, device=value.device)
    return (1 - (value.clamp(0, 1)[..., None] - centres).abs() * (BINS - 1)).clamp(min=0)


AutoConfig.register(MammogramTowerConfig.model_type, MammogramTowerConfig)
AutoModel.register(MammogramTowerConfig, MammogramTower)
