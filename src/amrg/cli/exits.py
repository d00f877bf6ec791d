"""Exit codes, the same for every command; docs/commands.md lists them."""

from __future__ import annotations

from enum import IntEnum

from amrg.core.errors import AmrgError


class Exit(IntEnum):
    """What the process returns."""

    OK = 0
    BUG = 1
    USAGE = 2
    UNREADABLE = 3
    NOTHING_TO_REPORT = 4
    NOT_A_MAMMOGRAM = 5
    NO_MODEL = 6
    UNWRITABLE = 7
    LEAK = 8
    TUNING = 9
    EDITED = 10
    INCOMPLETE = 11
    NOT_DELIVERED = 12
    ALTERED = 13
    NOT_SIGNED = 14
    NO_ANSWER = 15
    FAILED = 16
    INTERRUPTED = 130


MEANING: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.BUG: "an error in amrg: a traceback is printed, please report it",
    Exit.USAGE: "the command line is wrong",
    Exit.UNREADABLE: "the input cannot be read",
    Exit.NOTHING_TO_REPORT: "the input contains no screening view",
    Exit.NOT_A_MAMMOGRAM: "an image does not look like a mammogram; no draft was written",
    Exit.NO_MODEL: "the model is missing, gated, not measured or of an unsupported class",
    Exit.UNWRITABLE: "the output cannot be written",
    Exit.LEAK: "a split has the same report or patient on both sides, or a model was trained on cases that are scored",
    Exit.TUNING: "training cannot start or resume; the last checkpoint is intact",
    Exit.EDITED: "an output file was edited since amrg wrote it, and was left as it is",
    Exit.INCOMPLETE: "done, but incomplete: views missing, files unreadable, studies skipped, or a partner away",
    Exit.NOT_DELIVERED: "a report cannot be written in a format of `amrg deliver`; nothing was written",
    Exit.ALTERED: "the audit trail, or a report that it records, was altered",
    Exit.NOT_SIGNED: "nothing was signed or exported: the reason is printed",
    Exit.NO_ANSWER: "the model gave a study no complete answer; no draft of it was written",
    Exit.FAILED: "a study was set aside: it failed in amrg, ended two worker processes, or took too long",
    Exit.INTERRUPTED: "interrupted with Ctrl-C; files that were written are complete",
}

EXIT_OF: dict[str, Exit] = {
    "AccountError": Exit.USAGE,
    "Away": Exit.INCOMPLETE,
    "BenchmarkError": Exit.UNREADABLE,
    "ConflictError": Exit.USAGE,
    "DatabaseError": Exit.UNREADABLE,
    "DatasetError": Exit.UNREADABLE,
    "DeliveryError": Exit.NOT_DELIVERED,
    "ExportRefused": Exit.NOT_SIGNED,
    "EngineNameError": Exit.USAGE,
    "HeadError": Exit.USAGE,
    "Identifiable": Exit.INCOMPLETE,
    "ImagingError": Exit.UNREADABLE,
    "JarError": Exit.USAGE,
    "LeaseLost": Exit.UNREADABLE,
    "LoginRefused": Exit.NOT_SIGNED,
    "ModelError": Exit.NO_MODEL,
    "NewerDatabase": Exit.UNREADABLE,
    "NoAnswer": Exit.NO_ANSWER,
    "NoSuchJob": Exit.UNREADABLE,
    "NoSuchStudy": Exit.UNREADABLE,
    "NodeError": Exit.USAGE,
    "NotAMammogram": Exit.NOT_A_MAMMOGRAM,
    "NoSuchDelivery": Exit.UNREADABLE,
    "NotDelivered": Exit.NOT_DELIVERED,
    "NotPulled": Exit.UNREADABLE,
    "NotReceived": Exit.UNREADABLE,
    "NotReported": Exit.UNREADABLE,
    "Permanent": Exit.UNREADABLE,
    "PhantomError": Exit.UNREADABLE,
    "RayError": Exit.USAGE,
    "RecipeError": Exit.USAGE,
    "ReportFileError": Exit.UNREADABLE,
    "ServeError": Exit.USAGE,
    "SecretError": Exit.UNREADABLE,
    "SettingsError": Exit.USAGE,
    "SigningError": Exit.NOT_SIGNED,
    "TooLarge": Exit.UNREADABLE,
    "TruthError": Exit.UNREADABLE,
    "TuningError": Exit.TUNING,
    "UnusableQuery": Exit.USAGE,
    "WorkerError": Exit.NO_MODEL,
}
"""The exit code of every kind of error, by its class; one that is not listed has that of its base class."""


def exit_of(kind: type[AmrgError]) -> Exit:
    """The exit code of a kind of error."""
    return next((EXIT_OF[base.__name__] for base in kind.__mro__ if base.__name__ in EXIT_OF), Exit.BUG)
