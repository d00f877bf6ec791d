"""How far an engine agrees with the local one, finding by finding, and the record by which it is trusted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from amrg.birads import Draft
from amrg.birads.answers import answered_report
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.values import Value, first_complaint
from amrg.generation.batch import Drafted, draft_studies
from amrg.generation.drafting import DraftOptions
from amrg.generation.engines.base import Engine
from amrg.imaging import Study
from amrg.metrics.clinical.matching import match_findings
from amrg.metrics.validation import draft_pair
from amrg.models.errors import ModelError


class EngineAgreement(Value):
    """An engine's drafts beside the local engine's, of the same studies and model.

    `findings` counts those of both engines, `matched` those of either that the other states too (the same kind in the
    same breast); `categories` and `texts` count studies with the same worst category, and the same text. `failed` are
    studies that only one of the two drafted.
    """

    engine: str
    model: str
    weights: str
    answer: str
    version: str
    studies: int
    failed: int
    findings: int
    matched: int
    categories: int
    texts: int
    at_least: float

    @property
    def of_findings(self) -> float:
        """F1 of findings, 0 to 1; 1 where neither states any."""
        return self.matched / self.findings if self.findings else 1.0

    @property
    def of_categories(self) -> float:
        """Share of studies with the same worst category, failed ones counted as different."""
        return self.categories / self.studies if self.studies else 0.0

    @property
    def distrust(self) -> str | None:
        """Why the engine is not trusted; None where it is."""
        if not self.findings and self.texts < self.studies:
            return f"no finding in {self.studies} studies: nothing was measured; name studies with findings"
        if self.failed:
            return f"{self.failed} of {self.studies} studies were drafted by one of the two engines only"
        least = min(self.of_findings, self.of_categories)
        return None if least >= self.at_least else f"agreement {least:.3f}, expected at least {self.at_least}"

    def __str__(self) -> str:
        return (
            f"{self.matched} of {self.findings} findings, {self.categories} of {self.studies} categories and "
            f"{self.texts} of {self.studies} texts as the local engine's"
        )


def measure(studies: Sequence[Study], local: Engine, other: Engine, engine: str, at_least: float) -> EngineAgreement:
    """Draft every study with both engines; `engine` is the name by which the other one is asked for."""
    options = DraftOptions(force=True, study_facts=False)
    outcomes = [list(draft_studies(studies, e, options)) for e in (local, other)]
    drafts = [(_draft(one), _draft(two)) for one, two in zip(*outcomes, strict=True)]
    pairs = [(one, two) for one, two in drafts if one is not None and two is not None]
    counts = [_matched(one, two) for one, two in pairs]
    return EngineAgreement(
        engine=engine,
        model=other.identity.name,
        weights=str(other.identity.weights),
        answer=other.settings.answer,
        version=other.identity.device,
        studies=len(studies),
        failed=sum((one is None) is not (two is None) for one, two in drafts),
        findings=sum(findings for findings, _ in counts),
        matched=sum(matched for _, matched in counts),
        categories=sum(one.report.worst == two.report.worst for one, two in pairs),
        texts=sum(one.model_text == two.model_text for one, two in pairs),
        at_least=at_least,
    )


def refuse_other_weights(local: Engine, other: Engine) -> None:
    """Refuse to compare two models: the local engine's weights are those that the other engine is known by.

    Raises:
        ModelError: they are others.
    """
    here, there = local.identity.weights, other.identity.weights
    if here is not None and there is not None and here != there:
        raise ModelError(
            f"model {local.identity.name}: its weights ({here[:12]}) are not those of the known answers "
            f"({there[:12]}), so that an engine of these cannot be compared with it; make the known answers again"
        )


def _draft(outcome: object) -> Draft | None:
    return outcome.draft if isinstance(outcome, Drafted) else None


def _matched(local: Draft, other: Draft) -> tuple[int, int]:
    """Findings of both, and those of either that the other has too, of their texts read alike."""
    pair = draft_pair("", answered_report(local.model_text), other.model_text)
    assert pair.report is not None
    found = match_findings(pair, pair.report)
    both = 2 * len(found.matches)
    return both + len(found.missed) + len(found.invented), both


def records_folder() -> Path:
    """Where agreements are kept: in the user's state folder (XDG_STATE_HOME)."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "amrg" / "engines"


def record_of(engine: str, model: str) -> Path:
    """Where the agreement of an engine with a model is kept."""
    return records_folder() / f"{sha256_of_text(engine, model)[:16]}.json"


def save_agreement(found: EngineAgreement) -> Path:
    """Keep a measured agreement.

    Raises:
        OSError: the user's state folder cannot be written.
    """
    file = record_of(found.engine, found.model)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, [found.model_dump_json(indent=1)])
    return file


def read_agreement(engine: str, model: str) -> EngineAgreement | None:
    """The agreement that was measured of an engine with a model; None where none was.

    Raises:
        ModelError: its record is damaged.
    """
    file = record_of(engine, model)
    if not file.is_file():
        return None
    try:
        return EngineAgreement.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ModelError(f"{file}: damaged ({first_complaint(error)}); remove it and measure again") from error


def refuse_untrusted(name: str, engine: Engine) -> EngineAgreement:
    """The agreement by which an engine is trusted; `name` is what it is asked for by.

    Raises:
        ModelError: none was measured, or of another version of the server, or form of answer; or it is too low.
    """
    identity = engine.identity
    found = read_agreement(name, identity.name)
    command = f"amrg model check FOLDER --engine {name}"
    if found is None:
        raise ModelError(
            f"{name}: how far {identity.name} agrees with the local engine was never measured; run `{command}` first"
        )
    for what, then, now in (
        ("weights", found.weights, str(identity.weights)),
        ("form of answer", found.answer, str(engine.settings.answer)),
        ("server", found.version, identity.device),
    ):
        if then != now:
            raise ModelError(
                f"{name}: its agreement was measured with another {what} ({then}, now {now}); run `{command}`"
            )
    if (why := found.distrust) is not None:
        raise ModelError(f"{name}: not trusted with {identity.name}: {why}; see docs/serving.md")
    return found
