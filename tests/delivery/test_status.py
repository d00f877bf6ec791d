"""The status of a report in every standard: legal in its own table, and never final without a signature."""

from __future__ import annotations

import pytest

from amrg.birads import SIGNED, Status
from amrg.delivery.hl7.receiver import ReceiverCodes
from amrg.delivery.status import status_codes

TABLE_0123 = set("OISAPCRFXYZ")  # HL7 v2.5.1, OBR-25
TABLE_0085 = set("CDFINOPRSUWX")  # HL7 v2.5.1, OBX-11
AFTER_FINAL = {"amended", "corrected", "appended", "entered-in-error"}
DIAGNOSTIC_REPORT = {"registered", "partial", "preliminary", "final", "cancelled", "unknown", *AFTER_FINAL}
OBSERVATION = DIAGNOSTIC_REPORT - {"partial", "appended"}


@pytest.mark.parametrize("receiver", ReceiverCodes)
@pytest.mark.parametrize("status", Status)
def test_every_code_is_in_the_table_of_its_field(status: Status, receiver: ReceiverCodes) -> None:
    codes = status_codes(status, receiver)
    assert codes.result_status in TABLE_0123
    assert codes.observation_status in TABLE_0085
    assert codes.taken_back in TABLE_0085
    assert codes.diagnostic_report in DIAGNOSTIC_REPORT
    assert codes.observation in OBSERVATION
    if receiver is ReceiverCodes.FPC:
        assert {codes.result_status, codes.observation_status, codes.taken_back} <= set("FPC")


@pytest.mark.parametrize("receiver", ReceiverCodes)
@pytest.mark.parametrize("status", sorted(set(Status) - SIGNED - {Status.WITHDRAWN}))
def test_what_nobody_signed_is_preliminary_everywhere(status: Status, receiver: ReceiverCodes) -> None:
    codes = status_codes(status, receiver)
    assert (codes.result_status, codes.observation_status) == ("P", "P")
    assert (codes.diagnostic_report, codes.observation) == ("preliminary", "preliminary")
    assert (codes.verification, codes.preliminary) == ("UNVERIFIED", "PRELIMINARY")


def test_from_draft_to_withdrawal_every_standard_takes_the_same_steps() -> None:
    steps = [Status.DRAFT, Status.FINAL, Status.APPENDED, Status.AMENDED, Status.WITHDRAWN]
    codes = [status_codes(step) for step in steps]
    assert [c.result_status for c in codes] == ["P", "F", "C", "C", "X"]
    assert [c.observation_status for c in codes] == ["P", "F", "C", "C", "W"]
    assert [c.diagnostic_report for c in codes] == ["preliminary", "final", "appended", "amended", "entered-in-error"]
    assert [c.observation for c in codes] == ["preliminary", "final", "final", "amended", "entered-in-error"]
    assert [c.verification for c in codes] == ["UNVERIFIED", *["VERIFIED"] * 4]


def test_a_receiver_without_x_and_w_gets_a_withdrawal_as_a_correction() -> None:
    codes = status_codes(Status.WITHDRAWN, ReceiverCodes.FPC)
    assert (codes.result_status, codes.observation_status) == ("C", "C")
    assert codes.diagnostic_report == "entered-in-error"
