from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amrg.birads import Finding, Status
from amrg.delivery.pictures import view_picture
from amrg.imaging import Study, read_studies
from amrg.imaging.sheet import MARK
from amrg.phantom import Size, draw_exam, write_exam
from tests.delivery.exams import drafted, version_of

SEED = 1_000_005  # an exam with findings


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder: Path = tmp_path_factory.mktemp("exam")
    write_exam(draw_exam(SEED, Size.SMALL), folder)
    (read,) = read_studies(folder).studies
    return read


def marked(picture: bytes | None) -> int:
    """Pixels of marks in a picture."""
    assert picture is not None
    with Image.open(BytesIO(picture)) as opened:
        return int((np.asarray(opened.convert("RGB")) == np.array(MARK, np.uint8)).all(-1).sum())


def test_the_marks_are_those_of_the_version_not_of_its_draft(study: Study) -> None:
    findings: tuple[Finding, ...] = draw_exam(SEED, Size.SMALL).truth.findings
    signed = version_of(drafted(findings[:0]), Status.FINAL)
    assert marked(view_picture(signed, study)) == 0
    edited = signed.model_copy(update={"report": signed.report.model_copy(update={"findings": findings})})
    assert marked(view_picture(edited, study)) > 100
    assert view_picture(edited, study) == view_picture(edited, study)


def test_a_withdrawn_report_has_no_picture(study: Study) -> None:
    assert view_picture(version_of(drafted(), Status.WITHDRAWN), study) is None
