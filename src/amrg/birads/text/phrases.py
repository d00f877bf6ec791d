"""How reports say what the lexicon names: phrases of radiologists, of older editions and of language models.

Each row gives a concept, its value and the phrases for it, parted by `;`. `(s)` marks a plural that counts, a
hyphen in a report reads as a space. Longer phrases win over shorter ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from amrg.birads.lexicon import (
    Change,
    Composition,
    Density,
    Depth,
    Distribution,
    Edition,
    Indication,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Quadrant,
    Recommendation,
    Shape,
    View,
)


class Concept(StrEnum):
    """What a phrase speaks of."""

    KIND = "kind"
    ALSO = "also"  # a second kind that shares its last word: skin and nipple retraction
    SHAPE = "shape"
    MARGIN = "margin"
    DENSITY = "density"
    MORPHOLOGY = "morphology"
    DISTRIBUTION = "distribution"
    ROUND = "round"  # a shape of masses and a morphology of calcifications
    DIRECTION = "direction"
    PLACE = "place"
    DEPTH = "depth"
    SIDE = "side"
    VIEW = "view"
    CHANGE = "change"
    BENIGN = "benign"
    MULTIPLE = "multiple"
    CERTAINTY = "certainty"
    SIZE = "size"
    DISTANCE = "distance"
    CLOCK = "clock"
    CATEGORY = "category"
    MARKER = "marker"  # a mammogram after a procedure, to see its marker
    COMPOSITION = "composition"
    LETTER = "letter"  # composition said by its letter, which outweighs words
    INDICATION = "indication"
    EDITION = "edition"
    PRIOR = "prior"
    DATE = "date"
    WHEN = "when"  # a date that can be read in two ways, a month or a year
    ADVICE = "advice"
    ADVISED = "advised"  # the verb that makes an advice one
    STRUCTURE = "structure"  # skin, nipple: what can be called normal
    NORMAL = "normal"
    NOT = "not"
    NOT_BEFORE = "not before"  # negates what was said before it
    CONTRAST = "contrast"  # ends a negation
    INSTEAD = "instead"  # sets the rest of a clause aside
    LIKENESS = "likeness"  # what follows explains what was found
    LINK = "link"  # what follows comes with what was found
    HISTORY = "history"
    HIDES = "hides"  # tissue that could hide a lesion
    THE = "the"  # points back
    VERB = "verb"
    PREPOSITION = "preposition"
    FILL = "fill"  # carries no fact and parts nothing


PROBABLY = "probably"
"""The value of `BENIGN` that is a judgement, and no morphology of calcifications."""

_KINDS = (
    (Kind.MASS, "mass(es); soft opacit(y); opacit(y); soft nodular opacit(y); nodular opacit(y); nodule(s); "
     "nodular densit(y); lump(s); lesion(s); mass lesion(s); soft tissue mass(es); tumor(s); tumour(s); "
     "cyst(s); lipoma(s); hamartoma(s); fibroadenoma(s); soft tissue densit(y); mass like densit(y); sol; "
     "space occupying lesion(s); nodular lesion(s); solid lesion(s); soft tissue opacit(y); neoplasm(s); "
     "soft tissue lesion(s); nodular soft opacit(y); oil cyst(s); soft tissue nodule(s); nodularit(y)"),
    (Kind.CALCIFICATIONS, "calcification(s); microcalcification(s); micro calcification(s); calcific focus; "
     "calcific foci; macrocalcification(s); macro calcification(s); calcific densit(y); calcific particles; "
     "calcium deposit(s); calcific speck(s); calcs"),
    (Kind.ASYMMETRY, "asymmetr(y); asymmetric densit(y); asymmetrical densit(y); asymmetric opacit(y); asymmetric "
     "tissue; asymmetric breast tissue; asymmetric fibroglandular tissue; asymmetric parenchyma; "
     "asymmetric area(s); parenchymal asymmetr(y); density asymmetr(y); asymmetrical increased densit(y)"),
    (Kind.FOCAL_ASYMMETRY, "focal asymmetr(y); focal asymmetric densit(y); focal parenchymal asymmetr(y); "
     "focal asymmetrical densit(y); focal asymmetrical increased densit(y)"),
    (Kind.GLOBAL_ASYMMETRY, "global asymmetr(y); global asymmetric densit(y); global asymmetrical densit(y); "
     "global asymmetrical increased densit(y)"),
    (Kind.DEVELOPING_ASYMMETRY, "developing asymmetr(y); developing densit(y); developing focal asymmetr(y)"),
    (Kind.FOCAL_ASYMMETRY, "focal densit(y)"),
    (Kind.MASS, "ill defined densit(y); irregular densit(y); spiculated densit(y); lobulated densit(y)"),
    (Kind.DISTORTION, "architectural distortion(s); distortion(s); distorted architecture; parenchymal distortion(s); "
     "architecture distortion(s); distortion of architecture; distortion of the architecture"),
    (Kind.INTRAMAMMARY_NODE, "intramammary lymph node(s); intramammary node(s); intra mammary node(s); "
     "intra mammary lymph node(s); intramammary lymph gland(s)"),
    (Kind.AXILLARY_NODE, "axillary lymph node(s); axillary node(s); axillary adenopath(y); axillary "
     "lymphadenopath(y); axillary lymph adenopath(y); lymphadenopath(y); adenopath(y); lymph node(s); "
     "axillary lymph gland(s); axillary lymphnode(s); lymphnode(s); axilla node(s); axillary adeno; "
     "node(s); lymph node enlargement; axillary nodal enlargement; axillary lymph node enlargement"),
    (Kind.SKIN_LESION, "skin lesion(s); cutaneous lesion(s); skin mole(s); skin nodule(s); skin tag(s)"),
    (Kind.SKIN_THICKENING, "skin thickening; thickening of the skin; thickening of skin; thickened skin; "
     "thickening of the overlying skin; thickening of overlying skin; cutaneous thickening; skin thickened; "
     "skin is thickened"),
    (Kind.SKIN_RETRACTION, "skin retraction; retraction of the skin; retraction of skin; skin dimpling; skin puckering; "
     "retraction of the overlying skin; skin tethering"),
    (Kind.NIPPLE_RETRACTION, "nipple retraction; retraction of the nipple; retraction of nipple; retracted nipple; "
     "nipple inversion; inverted nipple; nipple a retraction; nipple is retracted; nipple appears retracted; "
     "nipple retracted; maybe retracted; may be retracted; nipple is inverted"),
    (Kind.TRABECULAR_THICKENING, "trabecular thickening; thickened trabeculae; trabeculae thickening; "
     "thickening of the trabeculae; thickening of trabeculae; breast edema; breast oedema; edema pattern(s); "
     "oedema pattern(s); diffuse edematous changes; edematous changes"),
    (Kind.DILATED_DUCT, "solitary dilated duct(s); dilated duct(s); single dilated duct; duct ectasia; "
     "ductal ectasia; dilated lactiferous duct(s); prominent duct(s)"),
)  # fmt: skip

_DESCRIPTORS = (
    (Concept.MARGIN, Margin.INDISTINCT, "ill defined densit(y)"),
    (Concept.MARGIN, Margin.SPICULATED, "spiculated densit(y)"),
    (Concept.SHAPE, Shape.IRREGULAR, "irregular densit(y)"),
    (Concept.SHAPE, Shape.LOBULATED, "lobulated densit(y)"),
    (Concept.SHAPE, Shape.OVAL, "oval; ovoid; oval shaped; elliptical; oval in shape; oval shape; ovoid shape"),
    (Concept.SHAPE, Shape.ROUND, "rounded; round in shape; round shape; round shaped; spherical; circular"),
    (Concept.ROUND, Shape.ROUND, "round"),
    (Concept.SHAPE, Shape.IRREGULAR, "irregular; irregularly shaped; irregular shaped; irregular in shape; "
     "irregular shape"),
    (Concept.SHAPE, Shape.LOBULATED, "lobulated; macrolobulated; lobular; gently lobulated; bilobed; lobulated shape; "
     "macro lobulated; slightly lobulated; lobulated in shape; multilobulated; lobulation(s)"),
    (Concept.MARGIN, Margin.CIRCUMSCRIBED, "circumscribed; well circumscribed; well defined; welldefined; "
     "sharply defined; well demarcated; well marginated; smooth margin; smooth margins; regular margin; "
     "regular margins; clear margin; clear margins; encapsulated; sharply marginated; thin walled"),
    (Concept.MARGIN, Margin.OBSCURED, "obscured; partially obscured; partly obscured; partially defined; "
     "partly defined; partially circumscribed; partially well defined; partly circumscribed; "
     "incompletely visualized margin; incompletely visualized margins"),
    (Concept.MARGIN, Margin.MICROLOBULATED, "microlobulated; micro lobulated; microlobulation(s); "
     "microlobular"),
    (Concept.MARGIN, Margin.INDISTINCT, "indistinct; ill defined; illdefined; poorly defined; not well defined; "
     "ill circumscribed; vague; hazy margin; hazy margins; blurred margin; blurred margins; poorly marginated; "
     "ill marginated; irregular margin; irregular margins; slight irregular margin; fuzzy; not circumscribed; "
     "poorly circumscribed; non circumscribed; noncircumscribed; irregular border; irregular borders; "
     "ill defined margin; ill defined margins; ill defined borders"),
    (Concept.MARGIN, Margin.SPICULATED, "spiculated; spiculation(s); spicules; spicule; stellate; spiculate; spicular; "
     "spiky; radiating spicules"),
    (Concept.DENSITY, Density.HIGH, "high density; high dense; hyperdense; hyper dense; high in density; "
     "increased density; dense; radiodense; radio dense; higher density; radiopaque; of high density"),
    (Concept.DENSITY, Density.EQUAL, "equal density; isodense; iso dense; equal in density; of equal density; "
     "same density; isodensity; iso density; equal dense"),
    (Concept.DENSITY, Density.LOW, "low density; hypodense; hypo dense; lower density; low in density; low dense; "
     "of low density"),
    (Concept.DENSITY, Density.FAT, "fat containing; radiolucent; fat density; fatty density; lucent; contains fat; "
     "fat contained"),
    (Concept.MORPHOLOGY, Morphology.SKIN, "skin; dermal; cutaneous; skin type"),
    (Concept.MORPHOLOGY, Morphology.VASCULAR, "vascular; arterial; vessel; tram track; vascular type"),
    (Concept.MORPHOLOGY, Morphology.COARSE, "coarse; popcorn; pop corn; popcorn like; popcorn type; macro; chunky; "
     "coarse popcorn like; coarse or popcorn like; coarse popcorn"),
    (Concept.MORPHOLOGY, Morphology.ROD_LIKE, "large rod like; rod like; secretory; rodlike; large rodlike; "
     "rod shaped"),
    (Concept.MORPHOLOGY, Morphology.PUNCTATE, "punctate; pinpoint; pin point"),
    (Concept.MORPHOLOGY, Morphology.RIM, "rim; rim like; eggshell; egg shell; lucent centered; lucent centred; "
     "peripheral rim; rimlike; egg shell like; eggshell like; ring like"),
    (Concept.MORPHOLOGY, Morphology.DYSTROPHIC, "dystrophic"),
    (Concept.MORPHOLOGY, Morphology.MILK_OF_CALCIUM, "milk of calcium; tea cup; teacup; layering"),
    (Concept.MORPHOLOGY, Morphology.SUTURE, "suture; sutural"),
    (Concept.MORPHOLOGY, Morphology.BENIGN, "typically benign"),
    (Concept.MORPHOLOGY, Morphology.AMORPHOUS, "amorphous; indistinct amorphous; powdery"),
    (Concept.MORPHOLOGY, Morphology.COARSE_HETEROGENEOUS, "coarse heterogeneous; coarse and heterogeneous; "
     "heterogeneous; heterogeneous coarse"),
    (Concept.MORPHOLOGY, Morphology.FINE_PLEOMORPHIC, "fine pleomorphic; pleomorphic; finely pleomorphic; "
     "polymorphic; polymorphous; pleomorphous; fine polymorphic"),
    (Concept.MORPHOLOGY, Morphology.FINE_LINEAR, "fine linear branching; fine linear; fine linear or fine linear "
     "branching; linear branching; branching; casting; fine branching; linear and branching; casting type; "
     "fine linear and branching; vermicular; fine linear or branching"),
    (Concept.DISTRIBUTION, Distribution.DIFFUSE, "diffuse; scattered; diffusely scattered; diffusely distributed; "
     "diffusely; diffuse distribution; throughout the breast; throughout the breasts; randomly distributed"),
    (Concept.DISTRIBUTION, Distribution.REGIONAL, "regional; regionally distributed; regional distribution"),
    (Concept.DISTRIBUTION, Distribution.GROUPED, "grouped; clustered; cluster; clusters; a group; a cluster; "
     "groups; grouped distribution; clustered distribution; group; grouping"),
    (Concept.DISTRIBUTION, Distribution.LINEAR, "linear; linearly distributed; linear distribution; "
     "in a line; in a linear distribution"),
    (Concept.DISTRIBUTION, Distribution.SEGMENTAL, "segmental; segmentally distributed; segmental distribution"),
    (Concept.CHANGE, Change.NEW, "new; newly seen; newly appeared; interval development of; newly developed; "
     "not seen previously; not previously seen"),
    (Concept.CHANGE, Change.LARGER, "larger; increased in size; enlarging; has grown; increased; interval increase; "
     "increasing; grown; interval growth; increase in size; has increased"),
    (Concept.CHANGE, Change.STABLE, "stable; unchanged; no change; no interval change; no significant change; "
     "no significant interval change; without change; stable since; has not changed; not changed; "
     "no change in size; similar to prior"),
    (Concept.CHANGE, Change.SMALLER, "smaller; decreased in size; decreased; interval decrease; has decreased; "
     "decrease in size; regressed"),
    (Concept.BENIGN, PROBABLY, "probably benign; probably a benign; likely benign; most likely benign; likely a benign; "
     "probable benign"),
    (Concept.BENIGN, True, "benign; benign looking; benign appearing; non suspicious; nonsuspicious; innocent; benignity; "
     "appear benign; appears benign; benign in appearance; non malignant; typical of benignity; "
     "not suspicious; not malignant; not suspicious looking; not suspicious appearing; not malignant appearing; "
     "not malignant looking; not look suspicious; not appear suspicious; not look malignant; not appear malignant; "
     "not considered suspicious; not overtly suspicious"),
    (Concept.BENIGN, False, "suspicious; malignant; malignancy; suspicious looking; pathological; pathologic; cancer; "
     "carcinoma; low suspicious; moderate suspicious; high suspicious; moderately suspicious; highly suspicious; "
     "suspicious malignant; highly suggestive of malignancy; suspicious for malignancy; concerning; worrisome; "
     "suspicious of malignancy; suspicious appearing; malignant looking; dcis; suspected malignancy; "
     "mildly suspicious; low suspicion; moderate suspicion; high suspicion; higher suspicious; concern; abnormal; "
     "not benign; not benign looking; not benign appearing; not clearly benign; not definitely benign; "
     "not typically benign; not typical for a benign lesion; not typical of a benign lesion; "
     "not typical for a benign mass; not typical of a benign mass; not typical for benign; not typical of benign"),
    (Concept.MULTIPLE, True, "multiple; several; few; numerous; two; three; four; five; many; some; couple; both; "
     "numbers of; multiple areas of; several areas of; innumerable; six; variable sized; various"),
    (Concept.CERTAINTY, True, "possible; questionable; suspected; cannot exclude; can not exclude; equivocal; "
     "could represent; possibly; probable; question of; cannot rule out; can not rule out; cannot be excluded; "
     "can not be excluded; not excluded; doubtful; subtle possible; potential; could be; suspicion of"),
)  # fmt: skip

_PLACES = (
    (Concept.DIRECTION, Quadrant.UPPER, "upper; superior; uppermost"),
    (Concept.DIRECTION, Quadrant.LOWER, "lower; inferior"),
    (Concept.DIRECTION, Quadrant.OUTER, "outer; lateral"),
    (Concept.DIRECTION, Quadrant.INNER, "inner; medial"),
    (Concept.PLACE, Quadrant.UPPER_OUTER, "uoq; r uoq; l uoq; superolateral; supero lateral"),
    (Concept.PLACE, Quadrant.UPPER_INNER, "uiq; r uiq; l uiq; superomedial; supero medial"),
    (Concept.PLACE, Quadrant.LOWER_OUTER, "loq; r loq; l loq; inferolateral; infero lateral"),
    (Concept.PLACE, Quadrant.LOWER_INNER, "liq; r liq; l liq; inferomedial; infero medial"),
    (Concept.PLACE, Quadrant.CENTRAL, "central; centrally; central region; central portion; midline"),
    (Concept.PLACE, Quadrant.RETROAREOLAR, "retroareolar; retro areolar; subareolar; sub areolar; periareolar; "
     "peri areolar; retroareolar region; retromammillary; behind the nipple; beneath the nipple"),
    (Concept.PLACE, Quadrant.AXILLARY_TAIL, "axillary tail; tail of spence; axillary tail region"),
    (Concept.PLACE, Quadrant.AXILLA, "axilla; axillae; axillas; axillary region; axillary regions"),
    (Concept.DEPTH, Depth.ANTERIOR, "anterior; anterior depth; anterior third; anterior aspect; anteriorly; "
     "anterior aspects"),
    (Concept.DEPTH, Depth.MIDDLE, "middle; mid; middle depth; mid depth; middle third; mid part; middle part; mid third"),
    (Concept.DEPTH, Depth.POSTERIOR, "posterior; posterior depth; posterior third; posterior aspect; posteriorly; deep; "
     "posterior aspects"),
    (Concept.SIDE, (Laterality.RIGHT,), "right; right sided; rt; rcc; rmlo; r breast; r uoq; r uiq; r loq; r liq"),
    (Concept.SIDE, (Laterality.LEFT,), "left; left sided; lt; lcc; lmlo; l breast; l uoq; l uiq; l loq; l liq"),
    (Concept.SIDE, (Laterality.RIGHT, Laterality.LEFT), "bilateral; bilaterally; both breasts; either breast; both sides; "
     "both axillae; either axilla; both axilla; right and left; both breast"),
    (Concept.VIEW, (View.CC,), "cc; craniocaudal; cranio caudal; rcc; lcc"),
    (Concept.VIEW, (View.MLO,), "mlo; rmlo; lmlo; mediolateral oblique; medio lateral oblique; oblique"),
    (Concept.VIEW, (View.ML,), "ml; mediolateral; medio lateral"),
    (Concept.VIEW, (View.LM,), "lm; lateromedial; latero medial"),
    (Concept.VIEW, (View.LMO,), "lmo; lateromedial oblique"),
    (Concept.VIEW, (View.XCCL,), "xccl; exaggerated lateral craniocaudal"),
    (Concept.VIEW, (View.XCCM,), "xccm; exaggerated medial craniocaudal"),
    (Concept.VIEW, (View.XCC,), "xcc"),
    (Concept.VIEW, (View.FB,), "fb; caudocranial"),
    (Concept.VIEW, (View.SIO,), "sio; superolateral to inferomedial oblique"),
    (Concept.VIEW, (View.ISO,), "iso; inferomedial to superolateral oblique"),
)  # fmt: skip

_STUDY = (
    (Concept.COMPOSITION, Composition.A, "almost entirely fatty; almost entirely fat; entirely fatty; entirely fat; "
     "predominantly fatty; mostly fatty; fatty replaced; almost completely fatty; fatty breasts; fatty breast; "
     "density : fatty; composition : fatty"),
    (Concept.COMPOSITION, Composition.B, "scattered areas of fibroglandular density; scattered fibroglandular "
     "densities; scattered fibroglandular density; scattered areas of fibroglandular tissue; "
     "scattered fibroglandular tissue; scattered fibroglandular elements; scattered areas of density"),
    (Concept.COMPOSITION, Composition.C, "heterogeneously dense"),
    (Concept.COMPOSITION, Composition.D, "extremely dense"),
    (Concept.INDICATION, Indication.SCREENING, "screening; routine screening; annual screening; asymptomatic; "
     "screening mammogram; screening mammography; routine screening mammogram; annual screening mammogram; "
     "routine mammogram; annual mammogram; baseline screening"),
    (Concept.INDICATION, Indication.DIAGNOSTIC, "diagnostic; palpable; diagnostic mammogram; diagnostic mammography; "
     "symptomatic; pain; discharge; recall; recalled; callback; palpable lump; breast lump; nipple discharge; "
     "diagnostic workup; diagnostic work up; diagnostic evaluation; felt"),
    (Concept.EDITION, Edition.FIFTH, "fifth edition; 5th edition; edition 5; 5 th edition; 2013 edition"),
    (Concept.EDITION, Edition.V2025, "v 2025; 2025 edition; version 2025; edition 2025"),
    (Concept.PRIOR, True, "prior; priors; previous; compared; comparison; prior mammogram; prior mammograms; "
     "prior study; prior studies; previous study; previous mammogram; previous mammograms; prior exam; prior exams; "
     "prior examination; prior imaging; previous examination; previous studies; prior mammography; "
     "previous imaging; since the prior"),
    (Concept.PRIOR, False, "no prior; no priors; no previous; no comparison; none available; not available; no prior "
     "mammogram; no prior mammograms; no prior study; no prior studies; no previous study; no previous studies; "
     "no previous mammograms; no previous mammogram; no prior imaging; baseline; prior not available; "
     "no prior exam; no prior exams; no prior examination; prior studies not available; none; unavailable; "
     "without prior; without priors; no prior examinations; no previous imaging; no comparison available"),
    (Concept.ADVICE, Recommendation.ROUTINE, "routine screening; annual screening; annual mammography; annual mammogram; "
     "routine mammography; routine follow up; annual follow up; routine annual screening; yearly screening; "
     "screening mammogram in one year; screening mammography in one year; routine annual mammography; continued "
     "screening; screening mammogram in 1 year; yearly mammogram; screening in one year; routine mammogram; "
     "routine annual mammogram; annual screening mammography; routine screening mammography; "
     "annual screening mammogram; routine screening mammogram; regular screening; screening mammography in 1 year; "
     "routine annual screening mammography; routine annual follow up; routine mammographic screening; "
     "screening mammogram in 12 months; screening mammography in 12 months; screening in 1 year; screening in 12 months"),
    (Concept.ADVICE, Recommendation.ADDITIONAL_IMAGING, "additional imaging; additional views; ultrasound; sonography; "
     "ultrasound correlation; diagnostic mammogram; spot compression; magnification views; further evaluation; "
     "further imaging; usg; additional evaluation; sonographic correlation; diagnostic mammography; mri; "
     "diagnostic workup; spot compression views; additional imaging evaluation; sonomammography; targeted ultrasound; "
     "additional mammographic views; breast mri; breast ultrasound; further workup; further work up; callback; recall; "
     "tomosynthesis; spot magnification views; further characterization; additional workup; supplemental imaging; "
     "correlation with ultrasound; breast sonography; further assessment"),
    (Concept.ADVICE, Recommendation.SHORT_INTERVAL, "short interval follow up; short interval followup; 6 month follow up; "
     "six month follow up; follow up in 6 months; follow up in six months; short term follow up; 6 months follow up; "
     "short interval surveillance; short interval imaging follow up; follow up mammogram in 6 months; "
     "6 month followup; six month followup; follow up mammography in 6 months; follow up after 6 months; "
     "short interval mammographic follow up; follow up mammography in six months; follow up mammogram in six months; "
     "interval follow up; short follow up; surveillance in 6 months; 6 monthly follow up; "
     "follow up imaging in 6 months; follow up imaging in six months; close follow up; short term followup"),
    (Concept.ADVICE, Recommendation.BIOPSY, "biopsy; core biopsy; tissue sampling; tissue diagnosis; core needle biopsy; "
     "fnac; histopathological correlation; histopathology; stereotactic biopsy; ultrasound guided biopsy; "
     "ultrasound guided core biopsy; image guided biopsy; fna; histological correlation; hpe; biopsies; "
     "tissue correlation; ultrasound guided core needle biopsy; image guided core needle biopsy; "
     "image guided core biopsy; stereotactic core biopsy; stereotactic guided biopsy; histologic sampling"),
    (Concept.ADVICE, Recommendation.SURGICAL, "surgical excision; excision; surgical consultation; surgical removal; "
     "definitive surgery; surgical biopsy; surgery; excisional biopsy; surgical referral; surgical management; "
     "surgical treatment; definitive treatment"),
    (Concept.ADVISED, True, "recommended; recommend; advised; advise; suggested; need; needs; needed; should; warranted; "
     "recommendation; required; indicated; recommends; advice; requires; follow up; correlation; consider; "
     "management; recommendations; next; plan; return; resume; continue; proceed; is suggested"),
    (Concept.STRUCTURE, (Kind.SKIN_THICKENING,), "skin"),
    (Concept.STRUCTURE, (Kind.NIPPLE_RETRACTION,), "nipple; nipples"),
    (Concept.STRUCTURE, (), "pectoral muscle; pectoral muscles; pectoralis; pectoralis muscle; pectoralis muscles; "
     "nipple areolar complex; areola; muscle"),
    (Concept.STRUCTURE, (Kind.SKIN_THICKENING, Kind.NIPPLE_RETRACTION), "skin and nipple; skin nipple; "
     "skin and nipples; skin and nipple areolar complex"),
    (Concept.STRUCTURE, (Kind.NIPPLE_RETRACTION, Kind.SKIN_THICKENING), "nipple and skin"),
    (Concept.NORMAL, True, "normal; unremarkable; no abnormality; no abnormalities; within normal limits; intact; "
     "appear normal; appears normal; no significant abnormality; nad; not remarkable"),
)  # fmt: skip

GONE = "gone"
"""The value of `NOT_BEFORE` where what was there before has gone: only what is named right before it is meant."""

_SYNTAX = (
    (Concept.NOT, "no", "no; nor; negative for; absence of; no evidence of; no evidence for; free of; "
     "no evidence; neither; none of; devoid of; no significant; no suspicious; no abnormal; no obvious; no definite; "
     "fails to show; not demonstrate; not show; does not show; do not show; did not reveal; not reveal; "
     "rules out; lack of; lacks; no mammographic evidence of; no new; no dominant; not contain; no other; "
     "no additional; no discrete; not associated with; no associated; never; no suspicious looking; "
     "no new or suspicious; no sign of; no signs of; no radiographic evidence of; no new suspicious; not any"),
    (Concept.NOT, "without", "without; without evidence of; without any; without associated; without suspicious"),
    (Concept.NOT_BEFORE, True, "not seen; not identified; not present; not visualized; not visualised; not noted; "
     "not evident; is absent; are absent; not appreciated; not demonstrated; not detected; none seen; "
     "ruled out; absent; none; not found; not observed; is none; not apparent; none identified; "
     "is not seen; are not seen; is not identified; are not identified; false; are excluded; is excluded; "
     "could not be identified; cannot be identified; can not be identified; could not be seen; could not be found; "
     "could not be confirmed; could not be visualized; could not be visualised; could not be demonstrated; "
     "cannot be seen; can not be seen; cannot be found; can not be found; cannot be visualized"),
    (Concept.NOT_BEFORE, GONE, "no longer seen; no longer present; no longer identified; no longer visible; "
     "no longer visualized; no longer visualised; no longer apparent; no longer evident; no longer demonstrated; "
     "no longer noted; no longer detected; no longer appreciated; has resolved; have resolved; is resolved; are resolved; "
     "has completely resolved; have completely resolved; completely resolved; fully resolved; now resolved; "
     "has since resolved; have since resolved; resolved on; resolved with; resolved since; does not persist; "
     "do not persist; did not persist; effaces with; effaces on; efface with; efface on; effaced with; effaced on; effaces; "
     "disperses; disperse on; disperse with; dispersed on; dispersed with; dissipates; dissipated; disappears; "
     "disappeared; pressed out; compresses out; compressed out; was excised; were excised; was removed; were removed"),
    (Concept.FILL, True, "not resolved; not fully resolved; not completely resolved; not yet resolved; partially resolved; "
     "partly resolved; nearly resolved; almost resolved; incompletely resolved; until resolved; unless resolved; "
     "if resolved; be resolved; once resolved; when resolved; not efface; not effaced; not fully efface; partially effaces; "
     "partially effaced; partly effaces; not disperse; not dispersed; partially dispersed; not disappeared; "
     "not dissipate; not pressed out; incompletely effaces; incompletely effaced"),
    (Concept.CONTRAST, True, "but; however; except; except for; although; though; other than; aside from; apart from; "
     "while; whereas; yet; nevertheless; besides"),
    (Concept.INSTEAD, True, "rather than; instead of; as opposed to; unlike; not a; not an; if; whether; should any; "
     "in case of; differential; versus; vs"),
    (Concept.LIKENESS, True, "suggests; suggest; suggesting; suggestive of; suggested to be; appears to be; "
     "appear to be; seems to be; seem to be; consistent with; compatible with; likely; likely to be; "
     "representing; represents; represent; in keeping with; may suggest; most likely; may represent; indicating; "
     "indicative of; to suggest; suspicious for; concerning for; worrisome for; characteristic of; typical of; "
     "likely representing; diagnostic of; favored to be; favoured to be; impression of; indicate; indicates; "
     "suspicious of; considered; probably; favor; favors; could represent; likely represents; corresponds to; correspond to; "
     "corresponding to"),
    (Concept.LINK, True, "with; w /; causing; resulting in; associated; overlying; associated with; with associated; "
     "with overlying; producing; accompanied by; invading; leading to; including; containing; infiltrating; "
     "involving; along with; together with; seen with; adjacent; causes; resulting; and overlying; "
     "and associated; with adjacent; contains; has; having; shows; showing; demonstrates; demonstrating"),
    (Concept.HISTORY, True, "history of; status post; history; s p; prior biopsy; previous biopsy; prior lumpectomy; "
     "family history; known history; underwent; family history of; personal history of; previously treated; "
     "presents with; presented with; presenting with; complains of; year old; complaint; complaints; "
     "patient reports; patient feels; patient noticed; patient noted; reports a; patient reported; "
     "prior surgery; for evaluation of; post mastectomy; mastectomy; mastectomies; old female; old woman"),
    (Concept.HIDES, True, "may obscure; could obscure; can obscure; obscures; obscuring; lowers the sensitivity; "
     "lowers sensitivity; may lower; decreases the sensitivity; limits the sensitivity; reduces the sensitivity; "
     "lower the sensitivity; reduce the sensitivity; detection of; could hide; may hide; sensitivity; "
     "may mask; could mask; can mask; masking"),
    (Concept.THE, True, "the; this; that; these; those; above mentioned; said; aforementioned; described; it; "
     "the above mentioned; its; within it; above"),
    (Concept.VERB, True, "seen; is; are; noted; identified; present; demonstrated; visualized; visualised; was; were; "
     "found; observed; detected; evident; appear; appears; exists; exist; measure; measures; measuring; "
     "located; lies; there is; there are; extending; exhibits; which; who; reveals; reveal; revealed; involved"),
    (Concept.PREPOSITION, True, "be; in; at; on; by; for; from; near; within; since; than; to; between; throughout; "
     "through; via; because; when; where; inside; over; beneath; under; up; upto; around; of the"),
    (Concept.FILL, True, "of; a; an; and; or; area; areas; focus; foci; small; large; tiny; mild; mildly; huge; soft; "
     "some; slight; slightly; fine; very; another; any; significant; discrete; dominant; specks; speck; region; "
     "regions; other; enlarged; prominent; additional; also; internal; central internal; well; partially; partly; "
     "visualized; adjacent; margins; margin; border; borders; shape; shaped; density; densities; texture; type; "
     "typical; looking; appearing; obvious; size; sized; focal; subtle; nodular; faint; low; high; moderate; highly; "
     "quadrant; quadrants; breast; breasts; half; part; aspect; depth; third; portion; side; view; views; projection; "
     "projections; cm; mm; o clock; position; distribution; morphology; kind; findings; finding; laterality; location; "
     "category; birads; score; assessment; final; overall; tissue; parenchyma; parenchymal; composition; "
     "fibroglandular; fibrofatty; fibro; glandular; fatty; fat; bilateral; image; images; imaging; mammogram; mammograms; "
     "mammography; mammographic; study; studies; examination; exam; digital; standard; technique; comparison; "
     "impression; conclusion; recommendation; nipple; clock; entire; entirely; whole; partial; as; not; stated; "
     "evidence; edition; acr; rads; bi; scattered; predominantly; minimal; minimally; approximately; about; "
     "date; dated; available; only; most; more; less; there; least; such; may; could; might; will; would; can; "
     "been; being; have; had; described; report; reported; acquired; obtained; performed; s; done; suspicion; "
     "name; patient; female; woman; age; years; year; months; month; after; before; during; interval; size; "
     "today; date; current; using; full; field; two; mode; type; including; benign; follow; up; now; "
     "routine; annual; incomplete; negative; further; noncalcified; all; each; either; both; one; we; you; "
     "finding; left; right; indication; unilateral; synthetic; synthetic 2 d; history; clinical; information; views; suggest; consistent; them; "
     "biopsy; proven; known; level; number; class; grade; grading; per; according; lexicon; criteria; "
     "otherwise; so; then; thus; therefore; they; their; her; seen; due; proper; likelihood; probability; "
     "spaces; d; th; x; abnormality; abnormalities; underlying; see; used; assigned; calcified; "
     "no finding described; not compared; none; dense tissue; dense breast tissue; dense parenchyma; dense breast; "
     "dense breasts; dense fibroglandular tissue; dense glandular tissue; dense breast parenchyma; "
     "clinically appropriate; in 6 months; in six months"),
)  # fmt: skip

_TWO_RETRACTIONS = "skin and nipple retraction; skin or nipple retraction; skin nipple retraction"

ROWS: tuple[tuple[Concept, object, str], ...] = (
    *((Concept.FILL, value, phrases) for _, value, phrases in _SYNTAX[-1:]),
    *_SYNTAX[:-1],
    *_STUDY,
    *_PLACES,
    *_DESCRIPTORS,
    *((Concept.KIND, kind, phrases) for kind, phrases in _KINDS),
    (Concept.KIND, Kind.SKIN_RETRACTION, _TWO_RETRACTIONS),
    (Concept.ALSO, Kind.NIPPLE_RETRACTION, _TWO_RETRACTIONS),
    (
        Concept.FILL,
        True,
        "incomplete : need additional imaging evaluation; incomplete need additional imaging evaluation",
    ),
    (Concept.PRIOR, False, "incomplete : need prior mammograms for comparison"),
    (Concept.CERTAINTY, True, "maybe retracted; may be retracted"),
)

ALIASES = {
    "opacification": "opacity",
    "opacifications": "opacities",
    "speculated": "spiculated",
    "speculations": "spiculations",
    "speculation": "spiculation",
    "speculate": "spiculate",
    "biards": "birads",
    "birad": "birads",
    "biradscategory": "birads",
    "brads": "birads",
    "asymetry": "asymmetry",
    "asymetric": "asymmetric",
    "asymetrical": "asymmetrical",
    "assymetrical": "asymmetrical",
    "assymetry": "asymmetry",
    "assymetric": "asymmetric",
    "quad": "quadrant",
    "quads": "quadrants",
    "calc": "calcification",
    "microcalcs": "microcalcifications",
    "microcalc": "microcalcification",
    "fundings": "findings",
    "finidngs": "findings",
    "suets": "suggests",
    "suest": "suggest",
    "suests": "suggests",
    "bx": "biopsy",
    "oclock": "clock",
    "centimeter": "cm",
    "centimeters": "cm",
    "centimetre": "cm",
    "centimetres": "cm",
    "millimeter": "mm",
    "millimeters": "mm",
    "millimetre": "mm",
    "millimetres": "mm",
    "cms": "cm",
    "mms": "mm",
}


def forms_of(phrase: str) -> tuple[tuple[str, bool], ...]:
    """A phrase as it is written in the table to its forms, each with whether it is a plural."""
    phrase = phrase.strip()
    if phrase.endswith("(s)"):
        return (phrase[:-3], False), (phrase[:-3] + "s", True)
    if phrase.endswith("(es)"):
        return (phrase[:-4], False), (phrase[:-4] + "es", True)
    if phrase.endswith("(y)"):
        return (phrase[:-3] + "y", False), (phrase[:-3] + "ies", True)
    return ((phrase, False),)


def _words_of(rows: Iterable[tuple[Concept, object, str]]) -> frozenset[str]:
    """Every single word of some rows."""
    forms = (form for _, _, phrases in rows for phrase in phrases.split(";") for form, _ in forms_of(phrase))
    return frozenset(word for form in forms for word in form.split())


KNOWN = _words_of(ROWS)
_GRAMMAR = frozenset({Concept.FILL, Concept.THE, Concept.VERB, Concept.PREPOSITION, Concept.CONTRAST, Concept.HISTORY})
CLINICAL = _words_of(row for row in ROWS if row[0] not in _GRAMMAR) | {"birads", "quadrant", "quadrants", "breast"}
"""Words that carry facts: what a misspelling may stand for."""
