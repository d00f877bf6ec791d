"""Whether a text is English. Another language is not read, since half a reading is worse than none."""

from __future__ import annotations

import re

from amrg.birads.parser.spelling import KNOWN

_WORD = re.compile(r"[^\W\d_]{2,}")
_FOREIGN_WORDS = {
    "German": "und der dem den des ein eine einer einen einem eines nicht kein keine keinen keiner mit ohne beidseits rechts "
    "links rechte rechten linke linken mamma brust brüste befund befunde beurteilung vergleich verdacht verdächtig "
    "unauffällig herdbefund mikrokalk verkalkung verkalkungen raumforderung achselhöhle drüsengewebe dichte empfehlung "
    "kontrolle quadrant oberen unteren äußeren inneren oben außen innen unten mammographie beiderseits hinweis nachweis "
    "auf bei zur zum von wird werden ist sind sich nach lymphknoten brustwarze haut bösartig gutartig kategorie rundherd",
    "French": "le les des du une dans sur avec sans est sont pas aucune aucun et ou au aux sein seins droit droite gauche gauches "
    "droits masse masses quadrant supéro externe interne conclusion mammographie microcalcifications densité "
    "opacité opacités bilan contrôle ganglion ganglions axillaire axillaires lésion lésions bilatérale bilatéral "
    "suspecte normale examen classée classé antécédent tissu mammaire mammaires",
    "Spanish": "el los las una con sin y o en por del se es no ningún ninguna mama mamas derecha derecho izquierda izquierdo "
    "masa masas nódulo nódulos cuadrante superior externo interno mamografía hallazgos impresión calcificaciones "
    "microcalcificaciones densidad sospechoso sospechosa benigno benigna bilateral ganglios piel axilar conclusión "
    "recomienda categoría lesión lesiones izquierdas derechas observa observan hallazgo ambas sospecha control anual",
    "Portuguese": "o os uma com sem e ou em na no nas nos da das do dos não direita direito esquerda esquerdo mama mamas nódulo nódulos "
    "quadrante mamografia achados impressão calcificações microcalcificações densidade suspeito suspeita benigno benigna "
    "linfonodos pele axila axilas conclusão categoria lesão lesões ausência observa medindo bilateralmente ambas sem",
    "Italian": "il gli della delle dei nella nel con senza si non sono mammella mammelle seno destra destro sinistra sinistro nodulo noduli "
    "quadrante mammografia reperti conclusioni calcificazioni microcalcificazioni sospetto sospetta benigno linfonodi cute "
    "ascellare bilaterale densità opacità esterno interno superiore controllo assenza",
    "Dutch": "het een van en niet geen met zonder rechter linker borst borsten bevindingen conclusie massa kwadrant verdacht "
    "goedaardig verkalkingen microcalcificaties klierweefsel okselklieren advies rechts links mammografie beiderzijds zijn",
    "Swedish": "och ett inte ingen inga med utan höger vänster bröst brösten fynd utlåtande förkalkningar misstänkt godartad mammografi",
    "Danish or Norwegian": "og et ikke ingen med uten uden høyre højre venstre bryst brystet funn fund forkalkninger mistenkt mammografi",
    "Polish": "nie jest oraz bez prawa lewa piersi pierś prawej lewej zmiana zmiany guzek węzły wniosek mammografia kwadrant zwapnienia",
    "Turkish": "ve bir ile sağ sol meme memede kitle kadran kalsifikasyon izlenmedi izlendi saptanmadı mamografi yoktur sonuç",
    "Romanian": "și nu fără sân sânul drept stâng mamografie calcificări cadran leziune concluzie",
    "Czech": "není bez vpravo vlevo prs prsu pravý levý nález závěr mamografie kvadrant ložisko",
    "Hungarian": "nem nincs bal jobb emlő emlőben lelet vélemény mammográfia",
    "Finnish": "ei ole oikea vasen rinta rinnassa löydös lausunto mammografia",
    "Indonesian": "dan tidak dengan payudara kanan kiri kuadran massa kesan tampak mamografi",
    "Catalan": "amb sense dreta esquerra mama quadrant mamografia troballes",
}
_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "with",
        "is",
        "are",
        "for",
        "to",
        "by",
        "from",
        "this",
        "that",
        "there",
        "which",
        "was",
        "were",
        "breast",
        "breasts",
        "left",
        "right",
        "seen",
        "noted",
        "upper",
        "outer",
        "inner",
        "lower",
        "skin",
        "nipple",
        "node",
        "nodes",
        "lymph",
        "findings",
        "finding",
        "well",
        "ill",
        "defined",
        "fatty",
        "tissue",
        "dense",
        "density",
        "shape",
        "margin",
        "margins",
        "soft",
        "opacity",
        "opacities",
        "category",
        "assessment",
        "recommended",
        "year",
        "months",
        "history",
        "impression",
        "comparison",
        "view",
        "views",
        "study",
        "suspicious",
        "suggests",
        "suggestive",
        "looking",
        "appearing",
        "lesion",
        "mass",
        "masses",
        "retraction",
        "thickening",
        "screening",
        "follow",
        "up",
        "compared",
        "since",
        "stable",
        "unchanged",
        "quadrants",
        "abnormality",
        "adenopathy",
        "calcifications",
        "probably",
        "negative",
        "incomplete",
        "mammogram",
        "additional",
        "imaging",
        "or",
        "spiculated",
        "irregular",
        "round",
        "oval",
        "circumscribed",
        "distortion",
        "architectural",
    ]
)
_SHARED = _ENGLISH | {"no", "in", "or", "on", "a", "do", "as", "masses", "quadrant", "superior", "external", "internal", "conclusion",
                      "bilateral", "interne", "control", "massa", "et", "med", "me", "sol", "bal", "fund", "sein", "o", "e", "y",
                      "am", "den", "des", "der", "van", "von", "du", "el", "los", "las", "le", "les", "da", "dos", "das", "bez",
                      "del", "es", "se", "si", "en", "na", "nas", "est", "os", "ve", "auf", "ole", "nos", "is"}  # fmt: skip
_FOREIGN = {
    word: language
    for language, words in reversed(list(_FOREIGN_WORDS.items()))
    for word in words.split()
    if word not in _SHARED
}
_FOREIGN_SET = frozenset(_FOREIGN)
_READABLE = 0x24F  # the last letter of the Latin blocks that English texts may borrow from
_MANY = 4  # unknown words of a text without one English word that make it foreign


def foreign_language(text: str) -> str | None:
    """The language of a text that is not English, `another language` where its name is not known; None for English."""
    words = set(_WORD.findall(text))
    if not words:
        return None
    lower = {w.lower() for w in words}
    english = len(lower & _ENGLISH)
    foreign = lower & _FOREIGN_SET
    accented = set() if text.isascii() else {w for w in words if not w.isascii() and not w[0].isupper()}
    score = len(foreign | {w.lower() for w in accented})
    scripts = 0 if text.isascii() else sum(1 for w in words if ord(max(w)) > _READABLE)
    if scripts and 2 * scripts >= english:
        return "another language"
    if score and (3 * score > english if score > 1 else english == 0):
        return _name(foreign)
    unknown = [w for w in lower if w not in KNOWN]
    return "another language" if english == 0 and len(unknown) >= _MANY and len(unknown) > len(lower) / 2 else None


def _name(foreign: set[str]) -> str:
    """The language that most of the words are of."""
    counts: dict[str, int] = {}
    for language, words in _FOREIGN_WORDS.items():
        counts[language] = len(foreign & set(words.split()))
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else "another language"
