"""Words as the COCO caption pipeline sees them: Penn Treebank tokens, lower case, most punctuation dropped.

The public pipeline runs Stanford's PTBTokenizer (CoreNLP 3.4.1, `-preserveLines -lowerCase`) in Java and then drops a
list of punctuation. This is its behaviour on report prose, measured on that program, with its quirks: brackets stay as
`-lrb-` and `-rrb-` (the list names them in capitals only), `seen.No` is one word, `1.2x0.8cm` is four.

White space is folded first. The public code replaces only line feeds, and its jar ends a line at every carriage
return: with texts that have those, each later caption is scored against another image's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

LETTERS = (
    r"A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af"
    r"\u0370-\u0373\u0376-\u037d\u0386-\u0481\u048a-\u0559\u0561-\u0587"
)
WORD = rf"[{LETTERS}0-9\u00ad]"
ALWAYS_SHORT = """
    adj adm adv al ala apr ariz assn asst aug ave bldg blvd brig bros calif capt cf cmdr co col colo conn corp cos cpl
    ct dak dec dept det dr elec esq est etc ext feb fla fri ft ga gen gov hon inc ind intl jan jr jul jun kan ky lt ltd
    maj mar md messrs mich minn mlle mme mo mon mont mr mrs ms mt natl neb nev nov oct okla penn pfc ph plc prof pvt rd
    rep rev rt sen sens sep sept sgt sr st tel tenn thu thurs tue tues univ va vs vt wed wis wyo
"""
SHORT_IN_CAPITALS = "ark az del ill la mass miss ore pa tex wash"
SHORT_BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
STARTERS = """
    a about according additionally after an as at but earlier he her here however if in it last many more now once one
    other our she since so some such that the their then there these they this we what when while yet you
"""
SPLIT = {
    "cannot": "can not",
    "gonna": "gon na",
    "gotta": "got ta",
    "wanna": "wan na",
    "lemme": "lem me",
    "gimme": "gim me",
}
DROPPED = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
SHOWN = {
    "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-",
    "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3",
    "€": "$", "£": "#", "¢": "cents",
    "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "",
}  # fmt: skip
DROPPED_SIGNS = "\u2010\"'`‘’“”„‟‛‹›«»–—…"
"""Signs the jar turns into quotes, dashes or dots, which are all dropped."""


def _capitalised(words: str) -> str:
    """Alternatives, each capitalised or all in capitals."""
    return "|".join(f"{w.capitalize()}|{w.upper()}" for w in words.split())


def _any_case(words: str) -> str:
    """Alternatives, each in lower case too: how the jar knows its abbreviations."""
    return f"{'|'.join(words.split())}|{_capitalised(words)}"


TOKEN = re.compile(
    "|".join(
        (
            r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}'’]",
            r"</?[A-Za-z][^<>]{0,100}>",
            r"&(?:amp|lt|gt|quot);",
            r"[#@][A-Za-z_][A-Za-z0-9_]*",
            r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?",
            # don't, isn't: the word, then n't
            r"[A-Za-z]+?(?=[nN]['’][tT])",
            r"[nN]['’][tT][A-Za-z]*",
            # well-defined/ill-defined, cc/mlo, 2/3rd, 2-3/4
            r"\d{1,4}[- ]\d{1,4}/\d{1,4}",
            r"[A-Za-z0-9]++(?:-[A-Za-z]++)*+(?:/[A-Za-z0-9]++(?:-[A-Za-z]++)*+){1,2}",
            # ill-defined, 4.5-mm, seen,well-defined, 12-o'clock
            rf"{WORD}++(?:[-_\u2010\u2011]{WORD}++)++(?!['’.][A-Za-z])",
            rf"[A-Za-z0-9][A-Za-z0-9.,]{{0,100}}(?:-(?:(?:[A-Za-z]\.){{2,}}|[dolDOL]['’][A-Za-z]+|{WORD}+))+",
            # 1.5  1,000  3:45  +5  .8
            r"[-+]?\d*(?:[.,:]\d+)++|[-+]\d++",
            # U.S.  e.g.  type B. (but the sentence ends in: type B. In)
            r"(?:[A-Za-z]\.){2,}(?![A-Za-z])",
            rf"[A-Za-z]\.(?![A-Za-z])(?!\s+(?:{_capitalised(STARTERS)})(?![A-Za-z0-9]))",
            # seen.No
            rf"[{LETTERS}]{WORD}*+(?:\.[{LETTERS}]{WORD}*+)++",
            rf"(?:{_any_case(ALWAYS_SHORT)}|{_capitalised(SHORT_IN_CAPITALS)})\.",
            rf"(?:{_any_case(SHORT_BEFORE_NUMBERS)})\.(?=\s*\d)",
            r"[A-Z]+(?:[&+][A-Z]+)+",
            r"(?:[dolDOL]|[A-HJ-XZ])['’][A-Za-z]{2,}",
            rf"{WORD}++(?:[-_\u2010\u2011]{WORD}++)*+(?:\.(?=[,;:]))?",
            r"['’](?:s|d|m|ll|re|ve|S|D|M|LL|RE|VE)(?![A-Za-z0-9])",
            r"[:;=]-?[()\[\]{dDpPO|\\@](?![A-Za-z0-9])",
            r"\.{3,}|(?:\. ){2}\.|-{5,}|-+|[!?]+|\*+|_+|#+",
            rf"[^\s{LETTERS}0-9]",
        )
    )
)  # fmt: skip
INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2060\ufeff\ufffd\U00010000-\U0010ffff]")
EMOTICON = re.compile(r"[:;=]-?[()]")


# A blank that no token and no look at what follows it goes over: most of them. What is between two is read once.
BREAK = re.compile(
    r" (?:(?<![0-9.] )|(?<=[0-9] )(?![0-9])|(?<=\. )(?![0-9A-Z])|(?<=[A-Za-z]{2}\. )(?=[A-Z])|(?<=\)\. )(?=[A-Z]))"
)


@lru_cache(maxsize=1 << 16)
def ptb_tokens(text: str) -> tuple[str, ...]:
    """The tokens of one text that the COCO pipeline scores."""
    folded = " ".join(INVISIBLE.sub(" ", text).split())
    pieces = [folded] if "<" in folded else BREAK.split(folded)  # a tag may hold blanks
    return tuple(chain.from_iterable(map(_tokens, pieces)))


@lru_cache(maxsize=1 << 18)
def _tokens(piece: str) -> tuple[str, ...]:
    return tuple(" ".join(map(_printed, TOKEN.findall(piece))).split())


def _printed(token: str) -> str:
    """How a token is printed; empty where it is dropped."""
    if token in DROPPED or token in DROPPED_SIGNS or re.fullmatch(r"-{1,4}|\.+|(?:\. )+\.", token):
        return ""
    lowered = token.replace("\u00ad", "").replace("’", "'").lower()
    if EMOTICON.fullmatch(token):
        return lowered.replace("(", "-lrb-").replace(")", "-rrb-")
    return SHOWN.get(lowered, SPLIT.get(lowered, lowered))
