"""Pictures for models: mirrored breasts look the same, boxes go there and back, what is no breast is blank."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import Laterality, View, ViewBox
from amrg.imaging import frame_breast
from amrg.models import Channels, Hanging, ViewEncoding, box_from_image, box_to_image, model_image

LAYERS = ViewEncoding(size=96, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)
GREY = ViewEncoding(size=96)


def _left_breast() -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :160]
    breast = (x / 110) ** 2 + ((y - 100) / 80) ** 2 < 1
    return np.where(breast, 0.4 + 0.05 * rng.standard_normal((200, 160)), 0.0).astype(np.float32)


def test_a_mirrored_breast_of_the_other_side_gives_the_same_picture() -> None:
    left = _left_breast()
    right = np.ascontiguousarray(left[:, ::-1])
    for_left = model_image(frame_breast(left, Laterality.LEFT, 96), Laterality.LEFT, LAYERS)
    for_right = model_image(frame_breast(right, Laterality.RIGHT, 96), Laterality.RIGHT, LAYERS)
    np.testing.assert_array_equal(for_left, for_right)


def test_grey_keeps_the_radiologists_hanging() -> None:
    right = np.ascontiguousarray(_left_breast()[:, ::-1])
    image = model_image(frame_breast(right, Laterality.RIGHT, 96), Laterality.RIGHT, GREY)
    assert image[:, 48:].mean() > image[:, :48].mean()
    assert (image[..., 0] == image[..., 2]).all()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    side=st.sampled_from(list(Laterality)),
    left=st.floats(0, 60),
    top=st.floats(20, 100),
    width=st.floats(1, 60),
    height=st.floats(1, 60),
)
def test_boxes_go_there_and_back(side: Laterality, left: float, top: float, width: float, height: float) -> None:
    pixels = _left_breast() if side is Laterality.LEFT else np.ascontiguousarray(_left_breast()[:, ::-1])
    framed = frame_breast(pixels, side, LAYERS.size)
    box = ViewBox(laterality=side, view=View.CC, left=left, top=top, right=left + width, bottom=top + height)
    back = box_from_image(box_to_image(box, framed, LAYERS), (side, View.CC), framed, LAYERS)
    np.testing.assert_allclose(
        [back.left, back.top, back.right, back.bottom], [box.left, box.top, box.right, box.bottom], atol=1e-3
    )


def test_outside_the_breast_an_image_says_nothing() -> None:
    framed = frame_breast(_left_breast(), Laterality.LEFT, LAYERS.size)
    outside = model_image(framed, Laterality.LEFT, LAYERS)[~framed.breast]
    assert (outside[:, [0, 2]] == 0).all()
    assert (outside[:, 1] == outside[0, 1]).all()
