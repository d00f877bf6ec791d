"""`amrg deliver`: a report for other systems, without the service."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.completion import DELIVERED_FORMATS
from amrg.cli.console import busy, complain, fail, print_json, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, Facility
from amrg.cli.study_input import read_input

if TYPE_CHECKING:
    from amrg.birads import ReportVersion
    from amrg.delivery.profile import SiteProfile
    from amrg.imaging import Study


def deliver(
    report: Annotated[
        Path,
        typer.Argument(
            metavar="REPORT", help="report.json of `amrg report`, or the output of `amrg studies STUDY --json`."
        ),
    ],
    study: Annotated[Path, typer.Option(help="The study's images: folder, zip, DICOMDIR or single file.")],
    formats: Annotated[
        str, typer.Option("--to", help="Any of sr,measurements,cad,pdf,fhir,hl7.", autocompletion=DELIVERED_FORMATS)
    ],
    folder: Annotated[Path, typer.Option("--out", help="Where the files are written.")] = Path("out/deliver"),
    facility: Facility = None,
    profile: Annotated[
        Path | None, typer.Option(help="TOML file: how the receivers of HL7 v2 and FHIR want them.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(min=1, help="Version number of a draft: one more than the last delivered."),
    ] = None,
    accession: Annotated[
        str, typer.Option(help="Accession number of the order for hl7 and fhir, where the images name none.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write a report for other systems: DICOM SR, Encapsulated PDF, FHIR, HL7 v2."""
    chosen, site = _formats(formats), _profile(profile)
    if accession and set(chosen) - {"fhir", "hl7"}:
        fail(Exit.USAGE, "--accession is for hl7 and fhir: a DICOM object states what the images of its study state")
    version = _version(report, facility, number)
    images = _study(study, version)
    with busy("writing the report"):
        contents = _contents(version, images, chosen, site, accession)
    with writing(folder):
        _write(folder, contents)
    if version.signature is None:
        complain(f"{report.name}: nobody signed this report; every file says that it is an unverified draft")
    if as_json:
        print_json({"folder": str(folder), "status": version.status, "files": list(contents)})
        return
    for name in contents:
        say(folder / name)


def _formats(given: str) -> tuple[str, ...]:
    """The formats to write, each once."""
    from amrg.delivery.formats import FORMATS

    chosen = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    if not chosen or set(chosen) - set(FORMATS):
        fail(Exit.USAGE, f"--to is {given!r}; expected any of {','.join(FORMATS)}")
    return chosen


def _profile(file: Path | None) -> SiteProfile:
    from amrg.delivery.profile import SiteProfile, read_profile

    return SiteProfile() if file is None else read_profile(file)


def _version(file: Path, facility: str | None, number: int | None) -> ReportVersion:
    """The report, in the words of a facility's law where one is named; leaves with one line where it is none."""
    from amrg.birads import Facility
    from amrg.delivery.facility import with_facility_wording
    from amrg.delivery.reading import read_report

    if facility is not None and facility not in tuple(Facility):
        fail(Exit.USAGE, f"--facility is {facility!r}; expected {' or '.join(Facility)}")
    version = read_report(file)
    if number is not None and version.signature is not None:
        fail(Exit.USAGE, f"--number: {file.name} is signed as version {version.number}, and stays that")
    if number is not None:
        version = version.model_copy(update={"number": number})
    return version if facility is None else with_facility_wording(version, Facility(facility))


def _study(path: Path, version: ReportVersion) -> Study:
    """The study that the report is of; leaves with one line where PATH has not exactly one."""
    studies = read_input(path).studies
    drafted = version.draft.study
    uid, key = (None, None) if drafted is None else (drafted.study_instance_uid, drafted.patient_key)
    found = [s for s in studies if uid is None or (s.study_instance_uid, s.patient_key) == (uid, key)]
    if len(found) != 1 and uid is None:
        fail(Exit.USAGE, f"{path.name}: {len(found)} studies, and the report names none; name the one that it is of")
    if len(found) != 1:
        fail(Exit.UNREADABLE, f"{path.name}: the report's study {uid} is not there; name the folder that has it")
    return found[0]


def _contents(
    version: ReportVersion, study: Study, formats: tuple[str, ...], site: SiteProfile, accession: str
) -> dict[str, bytes]:
    """The files, all of them or none."""
    from amrg.delivery.formats import FORMATS, PICTURED, Outgoing
    from amrg.delivery.pictures import view_picture
    from amrg.delivery.source import read_source

    source = read_source([mammogram.source for mammogram in study.mammograms])
    if accession:
        source = source.with_accession(accession)
    picture = view_picture(version, study) if PICTURED & set(formats) else None
    outgoing = Outgoing(version, source, picture=picture, receiver=site.hl7, server=site.fhir)
    return {FORMATS[name].file: FORMATS[name].write(outgoing) for name in formats}


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write the files; every one is complete before the first is replaced."""
    from amrg.core.files import atomic_write

    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as partials:
        for name, content in contents.items():
            partials.enter_context(atomic_write(folder / name)).write_bytes(content)
