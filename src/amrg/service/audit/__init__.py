"""The audit trail: what was done, by whom, to what; in one chain of hashes that shows what was changed afterwards."""

from amrg.service.audit.chain import SYSTEM, AuditFinding, Head, append, head, verify

__all__ = ["SYSTEM", "AuditFinding", "Head", "append", "head", "verify"]
