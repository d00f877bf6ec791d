"""Pixels as makers write them: LUTs, windows, padding, borders, intensity; always numbers that show something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from amrg.birads import Laterality
from amrg.imaging import frame_breast, read_mammogram, read_studies
from amrg.imaging.pixels.decoding import presentation_values
from tests.imaging.changed import COLUMNS, ROWS, Change, breast, change, put, put_raw, read_changed, write_exam

PLAIN = breast("R") / np.float32(4095)


def _read(tmp_path: Path, how: Change) -> tuple[np.ndarray, str]:
    """The changed RCC's pixels and notes; it must be read."""
    intake = read_changed(tmp_path, how)
    assert not intake.problems
    (rcc,) = (m for s in intake.studies for m in s.mammograms if (m.laterality, m.view) == ("R", "CC"))
    return rcc.pixels(), " | ".join(rcc.notes)


def _alike(found: np.ndarray, expected: np.ndarray = PLAIN, least: float = 0.995) -> None:
    assert np.isfinite(found).all()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > least
    assert found.max() > 0.85  # a sigmoid reaches no 1


def table(data: bytes, descriptor: tuple[int, int, int], vr: str = "US", keyword: str = "VOILUTSequence") -> Change:
    """A change that replaces the window by a table of these bytes."""

    def how(ds: pydicom.Dataset) -> None:
        item = pydicom.Dataset()
        item.add_new("LUTDescriptor", vr, list(descriptor))
        item.add_new("LUTData", "OW", data)
        setattr(ds, keyword, pydicom.Sequence([item]))
        if keyword == "VOILUTSequence":
            del ds.WindowCenter, ds.WindowWidth

    return how


RAMP = np.arange(4096, dtype="<u2")


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_x1_a_table_of_12_bits_that_states_others(tmp_path: Path, bits: int) -> None:
    found, notes = _read(tmp_path, table(RAMP.tobytes(), (4096, 0, bits)))
    np.testing.assert_allclose(found, PLAIN, atol=1e-3)
    assert "their range is used" in notes


def test_x1_a_table_with_its_stated_bits_is_not_noted(tmp_path: Path) -> None:
    found, notes = _read(tmp_path, table(RAMP.tobytes(), (4096, 0, 12)))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert not notes


def test_x1_a_packed_table_of_8_bits(tmp_path: Path) -> None:
    found, _ = _read(tmp_path, table((RAMP // 16).astype(np.uint8).tobytes(), (4096, 0, 8)))
    np.testing.assert_allclose(found, PLAIN, atol=0.01)


def test_x1_a_table_of_65536_entries(tmp_path: Path) -> None:
    data = np.minimum(np.arange(65536), 4095).astype("<u2").tobytes()
    found, _ = _read(tmp_path, table(data, (0, 0, 12)))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)


@pytest.mark.parametrize(("vr", "first"), [("SS", -2048), ("US", 65536 - 2048)])
def test_x1_a_first_value_below_zero_in_either_sign(tmp_path: Path, vr: str, first: int) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.RescaleIntercept = -2048
        table(RAMP.tobytes(), (4096, first, 12), vr)(ds)

    found, _ = _read(tmp_path, how)
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "descriptor"), [(b"", (4096, 0, 12)), (b"\1\2", (1, 0, 12)), (bytes(8192), (4096, 0, 12))]
)
def test_x5_a_table_without_use_gives_way_to_the_window(
    tmp_path: Path, data: bytes, descriptor: tuple[int, int, int]
) -> None:
    def how(ds: pydicom.Dataset) -> None:
        center, width = ds.WindowCenter, ds.WindowWidth
        table(data, descriptor)(ds)
        ds.WindowCenter, ds.WindowWidth = center, width

    found, notes = _read(tmp_path, how)
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert "VOI LUT" in notes


def test_x5_an_empty_item_gives_way_to_the_window(tmp_path: Path) -> None:
    found, notes = _read(tmp_path, put(VOILUTSequence=pydicom.Sequence([pydicom.Dataset()])))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert "no usable table" in notes


def test_a_modality_table_is_applied(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        del ds.RescaleSlope, ds.RescaleIntercept
        table(RAMP[::-1].tobytes(), (4096, 0, 12), keyword="ModalityLUTSequence")(ds)
        ds.PhotometricInterpretation = "MONOCHROME1"

    np.testing.assert_allclose(_read(tmp_path, how)[0], PLAIN, atol=1e-6)


def _window(center: bytes, width: bytes, function: bytes = b"") -> Change:
    def how(ds: pydicom.Dataset) -> None:
        put_raw("WindowCenter", "DS", center)(ds)
        put_raw("WindowWidth", "DS", width)(ds)
        if function:
            put_raw("VOILUTFunction", "CS", function)(ds)

    return how


@pytest.mark.parametrize(
    ("center", "width", "function", "note"),
    [
        (b"NaN ", b"NaN ", b"", "no number"),
        (b"NaN ", b"4096", b"", "no number"),
        (b"2048", b"inf ", b"", "no number"),
        (b"1e99", b"1e99", b"", "no number"),
        (b"2048", b"-Inf", b"", "no number"),
        (b"middle", b"wide", b"", "no number"),
        (b"NaN\\2048", b"NaN\\4096 ", b"", "window 1 is no number"),
        (b"2048", b"0 ", b"", "width of 0"),
        (b"2048", b"-1", b"", "width of -1"),
        (b"2048", b"1e-9", b"", "width of 1e-09"),
        (b"40", b"20", b"", "shows nothing"),
        (b"2048", b"1 ", b"", "shows nothing"),
        (b"-9999", b"20", b"", "shows nothing"),
        (b"32768 ", b"65536 ", b"", "shows nothing"),
        (b"40\\2048 ", b"20\\4096 ", b"", "window 40/20 shows nothing"),
        (b"2047,5", b"4095,0", b"", "decimal comma"),
        (b"2048\\1000 ", b"4096", b"", "2 values"),
        (b"", b"4096", b"", "0 values"),
        (b"2048", b"4096", b"SAMPLED_SIGMOID ", "SIGMOID"),
        (b"2048", b"4096", b"LINEAR EXACT", "LINEAR_EXACT"),
        (b"2048", b"4096", b"CUBIC ", "LINEAR"),
    ],
)
def test_x2_to_x5_windows(tmp_path: Path, center: bytes, width: bytes, function: bytes, note: str) -> None:
    found, notes = _read(tmp_path, _window(center, width, function))
    _alike(found, least=0.97)
    assert note in notes


@pytest.mark.parametrize("function", [b"LINEAR\\LINEAR ", b"linear", b"LINEAR\0"])
def test_x5_linear_however_it_is_written(tmp_path: Path, function: bytes) -> None:
    found, _ = _read(tmp_path, _window(b"2048", b"4096", function))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)


@pytest.mark.parametrize("value", [b"0 ", b"NaN ", b"inf ", b"x "])
def test_a_rescale_that_shows_nothing_is_none(tmp_path: Path, value: bytes) -> None:
    found, notes = _read(tmp_path, put_raw("RescaleSlope", "DS", value))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert "Rescale Slope" in notes


def _processing(relationship: str, sign: int, stored: np.ndarray, **more: object) -> Change:
    def how(ds: pydicom.Dataset) -> None:
        ds.PresentationIntentType = "FOR PROCESSING"
        ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = relationship, sign
        ds.PixelData = stored.astype("<u2").tobytes()
        put(**more)(ds)

    return how


DENSE = breast("R").astype(float)
EXPOSURE = 4000 * np.exp(-DENSE / 1500)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("relationship", "sign", "stored"),
    [
        ("LOG", -1, DENSE),
        ("LOG", 1, 4095 - DENSE),
        ("LIN", 1, EXPOSURE),
        ("LIN", -1, EXPOSURE.max() - EXPOSURE),
        ("DISP", -1, DENSE),
    ],
)
def test_x6_intensity_relationship_and_sign_are_obeyed(
    tmp_path: Path, relationship: str, sign: int, stored: np.ndarray, photometric: str
) -> None:
    how = _processing(relationship, sign, stored, PhotometricInterpretation=photometric)
    _alike(_read(tmp_path, how)[0], least=0.95)


def test_x6_without_relationship_a_raw_image_is_exposure(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        _processing("LIN", 1, EXPOSURE)(ds)
        del ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign

    _alike(_read(tmp_path, how)[0], least=0.95)


BORDER = 24


def _bordered(value: int) -> np.ndarray:
    """The breast with a border of one value on three sides, as padding and collimators leave it."""
    image = breast("R")
    image[:BORDER], image[-BORDER:], image[:, :BORDER] = value, value, value
    return image


def _inner(found: np.ndarray) -> np.ndarray:
    return found[BORDER:-BORDER, BORDER:]


def _breast_is_inside(found: np.ndarray) -> None:
    """The border is background, and no part of the framed breast."""
    assert found[:BORDER].max() == 0
    assert found[:, :BORDER].max() == 0
    np.testing.assert_allclose(_inner(found), _inner(PLAIN), atol=2e-3)
    framed = frame_breast(found, Laterality.RIGHT, 128)
    assert framed.to_original(0, 0)[1] >= BORDER - 4


@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize(("value", "limit"), [(4095, None), (2000, None), (65535, None), (4000, 4095), (4095, 4000)])
def test_x7_padding_is_background(tmp_path: Path, value: int, limit: int | None, windowed: bool) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PixelData = _bordered(value).astype("<u2").tobytes()
        ds.BitsStored, ds.HighBit = 16, 15
        put_raw("PixelPaddingValue", "US", value.to_bytes(2, "little"))(ds)
        if limit is not None:
            put_raw("PixelPaddingRangeLimit", "US", limit.to_bytes(2, "little"))(ds)
        if not windowed:
            del ds.WindowCenter, ds.WindowWidth

    found, notes = _read(tmp_path, how)
    assert "pixel padding" in notes
    if windowed:
        _breast_is_inside(found)
    else:
        assert found[:BORDER].max() == 0
        assert _inner(found).max() > 0.95


def test_x7_padding_of_an_inverse_image_is_background(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PhotometricInterpretation = "MONOCHROME1"
        image = 4095 - _bordered(0)
        image[:BORDER], image[-BORDER:], image[:, :BORDER] = 0, 0, 0
        ds.PixelData = image.astype("<u2").tobytes()
        put_raw("PixelPaddingValue", "US", b"\0\0")(ds)

    _breast_is_inside(_read(tmp_path, how)[0])


@pytest.mark.parametrize("border", [False, True], ids=["all around the breast", "a border"])
def test_x7_padding_of_an_inverse_image_that_no_header_states_is_background(tmp_path: Path, border: bool) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PhotometricInterpretation = "MONOCHROME1"
        image = 4095 - _bordered(0)
        if border:
            image[:BORDER], image[-BORDER:], image[:, :BORDER] = 0, 0, 0
        else:
            image[image == 4095] = 0
        ds.PixelData = image.astype("<u2").tobytes()

    found, notes = _read(tmp_path, how)
    assert "the value 0 around the breast, displayed white, is taken for padding" in notes
    _breast_is_inside(found)


def test_x7_a_signed_padding_value(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PixelData = _bordered(-2000 % 65536).astype("<u2").tobytes()
        ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 1, 16, 15
        put_raw("PixelPaddingValue", "US", (-2000 % 65536).to_bytes(2, "little"))(ds)
        del ds.WindowCenter, ds.WindowWidth

    found, _ = _read(tmp_path, how)
    assert found[:BORDER].max() == 0
    assert _inner(found).max() > 0.95


def test_x7_tissue_of_the_padding_value_stays(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        image = _bordered(3000)
        image[100, 120] = 3000
        ds.PixelData = image.astype("<u2").tobytes()
        put_raw("PixelPaddingValue", "US", (3000).to_bytes(2, "little"))(ds)

    assert _read(tmp_path, how)[0][100, 120] > 0.7


def test_x7_what_is_outside_the_collimator_is_background(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PixelData = _bordered(3500).astype("<u2").tobytes()
        ds.CollimatorShape = "RECTANGULAR"
        ds.CollimatorLeftVerticalEdge, ds.CollimatorRightVerticalEdge = BORDER, COLUMNS + 1
        ds.CollimatorUpperHorizontalEdge, ds.CollimatorLowerHorizontalEdge = BORDER, ROWS + 1 - BORDER

    _breast_is_inside(_read(tmp_path, how)[0])


@pytest.mark.parametrize("shape", ["CIRCULAR", "POLYGONAL"])
def test_x7_other_collimators(tmp_path: Path, shape: str) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.CollimatorShape = shape
        ds.CenterOfCircularCollimator, ds.RadiusOfCircularCollimator = [100, 100], 90
        ds.VerticesOfThePolygonalCollimator = [20, 20, 20, 159, 180, 159, 180, 20]
        image = breast("R")
        image[:10] = 3000
        ds.PixelData = image.astype("<u2").tobytes()

    found, notes = _read(tmp_path, how)
    assert "collimator" in notes
    assert found[:5].max() == 0
    assert found[100, 120] > 0.5


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("windowed", [True, False])
def test_x7_a_white_frame_is_no_breast(tmp_path: Path, windowed: bool, inverse: bool) -> None:
    def how(ds: pydicom.Dataset) -> None:
        image = _bordered(4095)
        ds.PixelData = (4095 - image if inverse else image).astype("<u2").tobytes()
        ds.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
        if not windowed:
            del ds.WindowCenter, ds.WindowWidth

    found, notes = _read(tmp_path, how)
    assert "white frame" in notes
    assert found[:BORDER].max() == 0
    assert _inner(found).max() > 0.9


THIN = 3  # rows and columns, under 4 % of either


@pytest.mark.parametrize("plain", [False, True], ids=["DICOM", "PNG"])
@pytest.mark.parametrize(
    ("sides", "hidden"),
    [("TBLR", "TBLR"), ("TB", "TB"), ("T", "T"), ("R", ""), ("L", ""), ("TR", "T")],
)
def test_x7_thin_white_edges_are_background_unless_they_may_be_the_chest_wall(
    tmp_path: Path, sides: str, hidden: str, plain: bool
) -> None:
    places: dict[str, Any] = {"T": np.s_[:THIN], "B": np.s_[-THIN:], "L": np.s_[:, :THIN], "R": np.s_[:, -THIN:]}
    image = breast("R")
    for side in sides:
        image[places[side]] = 4095
    if plain:
        Image.fromarray(image).save(tmp_path / "A_RIGHT_CC.png")
        found = presentation_values(tmp_path / "A_RIGHT_CC.png")
    else:
        found, _ = _read(tmp_path, put(PixelData=image.astype("<u2").tobytes()))
    expected = image / np.float32(4095)
    for side in hidden:
        expected[places[side]] = 0
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_values_above_their_bits_are_shifted(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        ds.PixelData = (breast("R").astype(int) * 16).astype("<u2").tobytes()
        ds.HighBit = 15

    found, notes = _read(tmp_path, how)
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert "High Bit" in notes


def test_values_above_stated_bits_are_no_wrapped_ones(tmp_path: Path) -> None:
    found, notes = _read(tmp_path, put(BitsStored=10, HighBit=9))
    np.testing.assert_allclose(found, PLAIN, atol=1e-6)
    assert "above the 10 bits" in notes


def test_an_overlay_in_unused_bits_is_cut_off(tmp_path: Path) -> None:
    def how(ds: pydicom.Dataset) -> None:
        image = breast("R")
        image[50:60] |= 0x8000
        ds.PixelData = image.astype("<u2").tobytes()
        ds.add_new(0x60000102, "US", 15)

    np.testing.assert_allclose(_read(tmp_path, how)[0], PLAIN, atol=1e-6)


@pytest.mark.parametrize("value", [0, 4095])
def test_a_view_that_shows_nothing_is_refused(tmp_path: Path, value: int) -> None:
    stored = np.full((ROWS, COLUMNS), value, "<u2").tobytes()
    intake = read_changed(tmp_path, put(PixelData=stored))
    assert [problem.file for problem in intake.problems] == ["RCC.dcm"]
    assert "blank" in intake.studies[0].remarks()[0]


numbers = st.one_of(
    st.sampled_from([b"NaN ", b"inf ", b"-1e30 ", b"0 ", b"2047,5", b"4096", b"2048", b"1 ", b"", b"1e-30 ", b"x "]),
    st.floats(-1e9, 1e9).map(lambda x: f"{x:.6g}".encode()),
)


luts = st.tuples(st.integers(0, 300), st.integers(0, 65535), st.integers(0, 32), st.binary(max_size=600))
functions = st.sampled_from([b"", b"LINEAR", b"LINEAR_EXACT", b"SIGMOID", b"SAMPLED_SIGMOID", b"LINEAR\\SIGMOID"])
settings_of_pixels = st.fixed_dictionaries(
    {
        "center": st.lists(numbers, max_size=3).map(b"\\".join),
        "width": st.lists(numbers, max_size=3).map(b"\\".join),
        "function": functions,
        "slope": numbers,
        "intercept": numbers,
        "padding": st.one_of(st.none(), st.tuples(st.integers(0, 65535), st.integers(0, 65535))),
        "lut": st.one_of(st.none(), luts),
        "terms": st.fixed_dictionaries(
            {
                "PhotometricInterpretation": st.sampled_from(["MONOCHROME1", "MONOCHROME2", "RGB", ""]),
                "PresentationIntentType": st.sampled_from(["FOR PRESENTATION", "FOR PROCESSING", ""]),
                "PixelIntensityRelationship": st.sampled_from(["LIN", "LOG", "DISP", "", "X"]),
                "PixelIntensityRelationshipSign": st.sampled_from([1, -1, 0]),
            }
        ),
    }
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=settings_of_pixels)
def test_whatever_the_settings_values_are_numbers_that_show_something_or_the_view_is_refused(
    tmp_path: Path, chosen: dict[str, Any]
) -> None:
    def how(ds: pydicom.Dataset) -> None:
        _window(chosen["center"], chosen["width"], chosen["function"])(ds)
        put_raw("RescaleSlope", "DS", chosen["slope"])(ds)
        put_raw("RescaleIntercept", "DS", chosen["intercept"])(ds)
        if chosen["padding"] is not None:
            put_raw("PixelPaddingValue", "US", chosen["padding"][0].to_bytes(2, "little"))(ds)
            put_raw("PixelPaddingRangeLimit", "US", chosen["padding"][1].to_bytes(2, "little"))(ds)
        if chosen["lut"] is not None:
            item = pydicom.Dataset()
            item.add_new("LUTDescriptor", "US", list(chosen["lut"][:3]))
            item.add_new("LUTData", "OW", chosen["lut"][3])
            ds.VOILUTSequence = pydicom.Sequence([item])
        put(**chosen["terms"])(ds)

    source = tmp_path / "RCC.dcm"
    if not source.is_file():
        source = write_exam(tmp_path / "exam") / "RCC.dcm"
    intake = read_studies(change(source, how, tmp_path / "changed_RCC.dcm"))
    assert len(intake.studies) + len(intake.problems) == 1
    for study in intake.studies:
        pixels = study.mammograms[0].pixels()
        assert pixels.dtype == np.float32
        assert pixels.shape == (ROWS, COLUMNS)
        assert 0 <= float(pixels.min()) < float(pixels.max()) <= 1
        assert np.unique(pixels).size > 2


def test_a_table_s_side_does_not_hide_what_is_wrong_with_pixels(tmp_path: Path) -> None:
    path = change(write_exam(tmp_path) / "RCC.dcm", _window(b"NaN ", b"NaN "))
    mammogram = read_mammogram(path, Laterality.RIGHT)
    assert np.isfinite(mammogram.pixels()).all()
    assert "no number" in " ".join(mammogram.notes)


NEGATIVES: list[tuple[Change, str]] = [
    (lambda ds: ds.update({"PixelData": (4095 - breast("R")).astype("<u2").tobytes()}), "DICOM"),
    (table(RAMP[::-1].tobytes(), (4096, 0, 12)), "a table that falls"),
    (put(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"), "MONOCHROME1 stored as MONOCHROME2"),
]


@pytest.mark.parametrize("how", [how for how, _ in NEGATIVES], ids=[name for _, name in NEGATIVES])
def test_a_negative_is_inverted_and_not_taken_for_the_other_breast(tmp_path: Path, how: Change) -> None:
    intake = read_changed(tmp_path, how)
    rcc = intake.studies[0].mammograms[0]
    _alike(rcc.pixels())
    assert not rcc.flipped
    assert "a negative, its background is white: displayed inverted" in rcc.notes


def test_a_negative_without_header_is_inverted(tmp_path: Path) -> None:
    Image.fromarray((255 - (breast("R") >> 4)).astype(np.uint8)).save(tmp_path / "RCC.png")
    rcc = read_studies(tmp_path).studies[0].mammograms[0]
    _alike(rcc.pixels())
    assert not rcc.flipped


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_are_obeyed_and_noted(tmp_path: Path, orientation: int) -> None:
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes each when a viewer applies it
    image = Image.fromarray((breast("R") >> 4).astype(np.uint8))
    if orientation > 1:
        image = image.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "RCC.png", exif=exif)
    rcc = read_studies(tmp_path).studies[0].mammograms[0]
    _alike(rcc.pixels())
    assert not rcc.flipped
    assert any("EXIF orientation" in note for note in rcc.notes) is (orientation > 1)


def test_further_images_of_a_tiff_are_noted(tmp_path: Path) -> None:
    pages = [Image.fromarray((breast(side) >> 4).astype(np.uint8)) for side in "RL"]
    pages[0].save(tmp_path / "RCC.tif", save_all=True, append_images=pages[1:])
    rcc = read_studies(tmp_path).studies[0].mammograms[0]
    assert "the first of 2 images in the file is read" in rcc.notes


def test_an_archive_inside_a_folder_is_named_as_one(tmp_path: Path) -> None:
    write_exam(tmp_path / "exam")
    (tmp_path / "exam" / "more.zip").write_bytes(b"PK")
    (problem,) = read_studies(tmp_path / "exam").problems
    assert problem.message.startswith("more.zip: an archive inside the input is not read; unpack it")
