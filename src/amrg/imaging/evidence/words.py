"""The words by which makers and radiographers name kinds of images, in the languages that they write."""

from __future__ import annotations

import re
import unicodedata

_NOT = r"(?<!NON[ _-])(?<!NOT[ _-])(?<!NO[ _-])(?<!W/O[ _-])(?<!WITHOUT[ _-])"
_END = r"(?=\s*(?:\||$))"  # the end of one text of several


def plain(text: str) -> str:
    """A text in capitals without accents and widths, as the words of this file are: `Vergrößert` is `VERGROSSERT`."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(c))


def _words(pattern: str) -> re.Pattern[str]:
    """Whole words of Latin letters; others are written without spaces."""
    return re.compile(plain_pattern(rf"(?<![A-Z])(?:{_NOT})(?:{pattern})(?![A-Z])"))


def plain_pattern(pattern: str) -> str:
    """A pattern whose letters are as `plain` gives them; its escapes stay."""
    return "".join(c if c.isascii() else plain(c) for c in pattern)


LOW_ENERGY = _words(rf"LOW[ _-]?ENERGY|ENERGY[ _-]LOW|NIEDRIGENERGIE\w*|BASSE[ _-]ENERGIE|BAJA[ _-]ENERGIA|LE{_END}")
CONTRAST = _words(
    r"CESM|CEM|CEDM|CE2D|TICEM|TITANCEM|SENOBRIGHT\w*|DUAL[ _-]?ENERGY|POST[ _-]?CONTRAST|CONTRAST[ _-]?(?:ENHANCED|"
    r"MAMMO\w*|2D)|KONTRASTMITTEL\w*|KONTRASTMAMMO\w*|ANGIOMAM\w*|(?:AVEC|CON|COM)[ _-](?:CONTRASTE|CONTRASTO)|造影"
)
SYNTHETIC = re.compile(
    plain_pattern(
        r"(?<![A-Z])(C[ _-]?VIEW|(?<!LUNIT[ _-])INSIGHT(?:[ _-]?2D)?|S[ _-]?VIEW|V[ _-]?PREVIEW|INTELLIGENT[ _-]?2D|"
        r"3DQUORUM[ _-]?2D|AWS|SMART[ _-]?MAPPING|SYN(?:TH?)?[ _-]?2D|S2D|2D[ _-]?SYNTH\w*|SYNTH\w*|SINTE[TS]\w*|"
        r"GENERATED[ _-]?2D|(?:TOMO|DBT)[ _-]?(?:GENERATED|DERIVED)[ _-]?2D|合成)(?![A-Z])"
    )
)
TOMOSYNTHESIS = re.compile(
    plain_pattern(
        r"(?<![A-Z])(TOMO(?!\w*[ _+/&-]*2D)\w*|DBT|BT[ _-]?(?:SLICE|VOL)\w*|SMART[ _-]?SLICE\w*|6MM[ _-]?SLAB\w*|"
        r"SLAB\w*|MIP|MPR|CLARITY[ _-]?HD|(?:1|0\.5)[ _-]?MM[ _-]?(?:PLANE|SLICE)S?|"
        r"3D[ _-]?(?:MAMMO\w*|RECON\w*|VOL\w*|SLICE\w*)|トモ\w*)(?![A-Z])"
    )
)
THREE_D = re.compile(r"(?<![A-Z])(?<!2D[ _+/&-])3D(?![ _+/&-]*2D)(?![A-Z])")
"""3D alone, which the name of an exam has too: 2D images of one that takes both are described by it."""
TOMOSYNTHESIS_ONLY = re.compile(r"(?<![A-Z])(SLICES?|SLABS?|PLANES?|PROJECTIONS?|VOLUME)(?![A-Z])")

_KINDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (_words(pattern), what)
    for pattern, what in (
        (
            r"SPECIMEN\w*|SURGICAL[ _-]SPEC\w*|CORE[ _-]?SPEC\w*|PRAE?PARAT\w*|PIECE[ _-]OPERATOIRE|PIEZA\w*|"
            r"PEZZO[ _-]OPERATORIO|PECA[ _-]CIRURGICA|標本",
            "a specimen",
        ),
        (r"CROPPED", "a cropped image of a finding"),
        (r"ROI[ _-]MASK\w*", "a mask of a finding"),
        (
            r"STEREO\w*|BIOPSY|BIOPSI[EA]\w*|STANZ\w*|VAKUUM\w*|BX|PRE[ _-]?FIRE|POST[ _-]?FIRE|SCOUT|"
            r"VACUUM[ _-]ASSISTED|PRONE[ _-]TABLE|生検",
            "a biopsy image",
        ),
        (
            r"LOCALI[SZ]ATION|NEEDLE[ _-]?LOC\w*|WIRE[ _-]?LOC\w*|HOOK[ _-]?WIRE|(?:DRAHT|NADEL)\w*|REPERAGE|H?ARPON",
            "a localisation image",
        ),
        (r"GALA[CK]TO\w*|DU[CK]TO\w*|PNEUMO[CZ]YST\w*|乳管造影", "a galactography image"),
        (
            r"RE[CK]OMBIN\w*|RICOMBIN\w*|SUBTRA\w*|SOUSTRA\w*|SUSTRA\w*|SOTTRA\w*|CESM[ _-]?REC\w*|IODINE|"
            rf"(?:DES|SUB){_END}",
            "a recombined contrast image",
        ),
        (
            r"HIGH[ _-]?ENERGY|ENERGY[ _-]HIGH|HOCHENERGIE\w*|HAUTE[ _-]ENERGIE|ALTA[ _-]ENERGIA"
            rf"|HE{_END}",
            "a high-energy image of contrast mammography",
        ),
        (
            r"MAG|MAGN|MAGNIF\w*|MAGNIFY|AGRANDI\w*|VERGR\w*|LUPE\w*|LUPENAUFNAHME|AMPLIA\w*|INGRANDI\w*|"
            r"[12][.,]\dX|X[12][.,]\d|拡大",
            "a magnification view",
        ),
        (
            r"SPOT\w*|CONTACT[ _-]SPOT|FOCAL[ _-]COMP\w*|CONE[ _-]?DOWN|CONED?|ZIELAUFN\w*|TUBUS\w*|"
            r"(?:LOCALI[SZ]|FO[CK]ALI[SZ])(?:E|EE|AD[AO]|AT[AO])|スポット",
            "a spot compression view",
        ),
        (
            r"IMPLANTS?[ _-]?DISP\w*|DISPLACED|EKLUND|PUSH[ _-]?BACK|IMPL?[ _-]DISP\w*|DISPLACED[ _-]IMPLANT|"
            r"IMPLANT\w*[ _-](?:VERSCHOB|ZURUCKGE|DESPLAZAD|REFOULE|DEPLACE|SPOSTAT|DESLOCAD)\w*|REFOULE\w*|"
            rf"(?:OHNE|SANS|SIN|SEM|SENZA)[ _-](?:IMPLANT|PROT)\w*|PB{_END}",
            "an implant-displaced view",
        ),
        (r"ROLLED|ROLL[ _-]?(?:LAT|MED|SUP|INF)\w*|GEROLLT\w*|ROULEE?|ROLAD[AO]|RUOTAT[AO]", "a rolled view"),
        (r"TANGEN[TC]I\w*|TANG", "a tangential view"),
        (r"CLEAVAGE|CLEOPATRA|[RL]T?[ _-]CV", "a cleavage or axillary tail view"),
        (r"AXILLARY[ _-]TAIL|AXILLARY[ _-]VIEW", "an axillary tail view"),
        (
            r"PHANTOM(?![ _-]?\d)|QC|QA|FLAT[ _-]?FIELD|CALIBRATION|KONSTANZ\w*|CONSTANCY",
            "a quality control image",
        ),
        (r"REJECT\w*|AUSSCHUSS|VERWORFEN|RECHAZAD[AO]|SCARTAT[AO]|DELETED", "a rejected image"),
        (
            r"HEAT[ _-]?MAP\w*|OVERLAY|SALIENCY|GRAD[ _-]?CAM|IMAGE[ _-]?CHECKER|SECOND[ _-]?LOOK|TRANSPARA|ICAD|"
            r"LUNIT\w*|PROFOUND[ _-]?AI|GENIUS[ _-]?AI|MAMMOSCREEN|VOLPARA|DENSITY[ _-]MAP",
            "an image with the marks of software",
        ),
        (r"CAD[ _-](?:MARKS?|OVERLAY|RESULT\w*)|SCREEN[ _-]?(?:SHOT|CAPTURE|SAVE)|DOSE[ _-]REPORT", "a screen capture"),
    )
)
_FILE_KINDS = (
    (_words(r"\w*MASKS?|SEG|SEGMENTATION|GROUND[ _-]?TRUTH"), "a mask of a finding"),
    (_words(r"THUMB\w*|ICON"), "a thumbnail"),
    (_words(rf"CM(?=[ _-]*(?:CC|MLO))|CM{_END}"), "a recombined contrast image"),  # as CDD-CESM names them
)


_HISTORY = re.compile(
    r"(?<![A-Z])(?:POST(?![ _-]?(?:FIRE|CONTRAST))|S[ /]?P|STATUS|ST\.?P|Z\. ?N|ZN|ZUSTAND|AFTER|NACH|APRES|DOPO|"
    r"HISTORY|PRIOR|PREVIOUS\w*|FORMER\w*|SCARS?|NARBEN?|CLIPS?|MOLES?|SKIN[ _-]MARKERS?)(?![A-Z])"
    r"|(?<!\d)(?:19|20)\d\d(?!\d)"
)
_AFTER_BIOPSY = re.compile(
    r"(?<![A-Z])(?:STATUS[ _-]*POST|POST|S[ /]?P|ST\. ?P\.?|Z\. ?N\.?|ZN|AFTER|NACH|APRES|DOPO|PRIOR|PREVIOUS)[ _-]*"
    r"(?:(?:CORE|NEEDLE|EXCISIONAL)[ _-]*)?(?:BIOPSY|BIOPSI[EA]|STANZBIOPSIE|BX)(?![A-Z])"
)
_EXAM = re.compile(r"(?<![A-Z])(?:ROUTINE|SCREENING|STANDARD)(?![A-Z])")


def is_history(text: str) -> bool:
    """Whether a comment in plain capitals is on the breast's past or its skin, not of the image: `S/P BIOPSY`."""
    return _HISTORY.search(text) is not None


def without_past_biopsy(text: str) -> str:
    """A text in plain capitals without `POST BIOPSY`: a view after one is a whole one."""
    return _AFTER_BIOPSY.sub(" ", text)


def lists_an_exam(text: str) -> bool:
    """Whether a text in plain capitals lists the images of an exam, standard ones too: `SPOT, MAG, ROUTINE`."""
    parts = re.split(r"[,;/+&]", text)
    return len(parts) > 1 and any(_EXAM.search(part) and kind_by_words(part) is None for part in parts)


def kind_by_words(text: str) -> str | None:
    """The kind of image that is set aside which a text in plain capitals names."""
    return next((what for pattern, what in _KINDS if pattern.search(text)), None)


def kind_of_file_name(text: str) -> str | None:
    """The kind of image that is set aside which the name of an image without a header names, in plain capitals."""
    return kind_by_words(text.replace("PHANTOM", " ")) or next((w for p, w in _FILE_KINDS if p.search(text)), None)
