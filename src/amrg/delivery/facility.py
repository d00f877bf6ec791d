"""A draft's text in the words that the law fixes where the report is issued."""

from __future__ import annotations

from amrg.birads import FACILITY_STYLES, Facility, ReportVersion, render
from amrg.delivery.errors import DeliveryError


def with_facility_wording(version: ReportVersion, facility: Facility) -> ReportVersion:
    """The version with those words. What was signed, or edited by hand, is never worded again.

    Raises:
        DeliveryError: its text has other words, and nobody but a person may change them.
    """
    fixed = {render(version.report, style, facility=facility): style for style in FACILITY_STYLES}
    if version.text in fixed:
        return version
    if version.signature is None:
        for style in FACILITY_STYLES:
            if version.text == render(version.report, style):
                return version.model_copy(update={"text": render(version.report, style, facility=facility)})
    done = "signed" if version.signature is not None else "edited, or written in a data set's style"
    raise DeliveryError(
        f"the report was {done} without the wording for --facility {facility}; "
        f"draft it with `amrg report --facility {facility}`"
    )
