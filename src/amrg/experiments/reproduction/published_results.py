"""Published results on DMID, as printed, and what can and cannot be compared with them.

No code, split files or stored outputs of these works were found: nothing here was computed by amrg.
"""

from __future__ import annotations

from amrg.core.values import Value


class PublishedResult(Value):
    """One line of a paper: its numbers in the paper's own variants, None where it gives none."""

    work: str
    backbone: str
    on: str
    rouge_l: float | None = None
    rouge_1: float | None = None
    meteor: float | None = None
    cider: float | None = None
    birads: float | None = None


_LAST = "DMID, the last 52 files sorted"
_TWO_STAGE = "Esen and Nurtas, two-stage"

PUBLISHED: tuple[PublishedResult, ...] = (
    PublishedResult(
        work="AMRG (arXiv 2508.09225)",
        backbone="MedGemma-4B-it, LoRA",
        on="DMID, 407/51/52 images (second-hand)",
        rouge_l=0.5691,
        rouge_1=0.575,
        meteor=0.6152,
        cider=0.5818,
        birads=0.5582,
    ),
    PublishedResult(work=_TWO_STAGE, backbone="MedGemma-4B, QLoRA", on=_LAST, rouge_l=0.671, meteor=0.685, cider=0.729),
    PublishedResult(
        work=f"{_TWO_STAGE}: DMID only", backbone="MedGemma-4B", on=_LAST, rouge_l=0.601, meteor=0.597, cider=0.455
    ),
    PublishedResult(work=f"{_TWO_STAGE}: untuned", backbone="MedGemma-4B", on=_LAST, rouge_l=0.098),
    PublishedResult(work=f"{_TWO_STAGE}: untuned", backbone="Qwen2.5-VL-7B", on=_LAST, rouge_l=0.145),
    *(
        PublishedResult(
            work=f"{_TWO_STAGE}: sweep r{r} a{a}", backbone="MedGemma-4B, QLoRA", on=_LAST, rouge_l=rouge, cider=cider
        )
        for r, a, rouge, cider in (
            (8, 16, 0.631, 0.527),
            (8, 32, 0.654, 0.613),
            (16, 32, 0.659, 0.639),
            (32, 64, 0.661, 0.623),
            (64, 64, 0.671, 0.729),
            (64, 128, 0.666, 0.687),
        )
    ),
    PublishedResult(
        work="AutoMammo", backbone="MedGemma 1.5 4B, QLoRA", on="DMID", rouge_l=0.669, meteor=0.719, birads=0.4276
    ),
)

COMPARABLE = (
    "ROUGE-L and ROUGE-1: F1 with stemming here; the papers do not name their variant. Near comparable, if the cases "
    "were the same",
)
"""What can be compared with the published numbers, and how far."""

NOT_COMPARABLE = (
    "the cases: no split file was published. image-407-51-52 draws its own images in the sizes that are reported "
    "second-hand; the later works test on the last 52 files, which is the split last-52",
    "the leak: DMID has 430 distinct texts in 510 reports, so a split by image tests on reports that were trained on; "
    "the split clean keeps copies and near copies together, and its numbers are the ones to believe",
    "CIDEr: here CIDEr-D, times 10, document frequencies from the references scored. A reported 0.58 may be on "
    "another scale or a home-made variant from 0 to 1: do not compare",
    "METEOR: here nltk's with WordNet; the official METEOR 1.5 differs from it by 0.2 to 0.3 on the same pair, and the "
    "papers do not say which they used",
    "BI-RADS: AMRG's 0.5582 is no k/51 and no k/52, so it is no plain share of right answers over those images, and "
    "its rule is unknown. Here: the most suspicious category named, a draft without one unscored",
    "the protocol: learning rate, epochs, prompt, resolution and LoRA's target modules were not published. The recipe "
    "here is amrg's own, the same for every backbone",
    "selection: AMRG does not say on which cases its rank and scaling were chosen; here on the validation part alone",
    "blind baselines: one constant report, written without any image, reaches the reported text scores on DMID; read "
    "the rows of the baselines before any other",
)
"""What cannot be compared with the published numbers, and why."""
