"""Reports as HL7 v2.5.1 messages."""

from amrg.delivery.hl7.message import control_id, oru_message
from amrg.delivery.hl7.receiver import CharacterSet, LineBreaks, ReceiverProfile

__all__ = ["CharacterSet", "LineBreaks", "ReceiverProfile", "control_id", "oru_message"]
