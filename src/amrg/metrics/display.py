"""Numbers as people read them: three decimals, a true minus sign, intervals in brackets."""

from __future__ import annotations

from amrg.core.plurals import counted as counted  # noqa: PLC0414 - numbers and their units are written together
from amrg.metrics.scores import Number

MINUS = "\N{MINUS SIGN}"
NONE = "no value"


def number(value: float | None, signed: bool = False) -> str:
    """A value with three decimals, fewer where it is large; `signed` writes the plus too."""
    if value is None:
        return NONE
    decimals = 3 if abs(value) < 10 else 1
    text = f"{abs(value):,.{decimals}f}"
    sign = MINUS if value < 0 and float(text.replace(",", "")) else "+" if signed else ""
    return sign + text


def interval(of: Number, signed: bool = False) -> str:
    """The 95 % interval in brackets; nothing where there is none."""
    if of.low is None or of.high is None:
        return ""
    return f"[{number(of.low, signed)}, {number(of.high, signed)}]"


def with_interval(of: Number, signed: bool = False) -> str:
    """Value and interval."""
    return f"{number(of.value, signed)} {interval(of, signed)}".rstrip()


def stacked(of: Number, signed: bool = False) -> str:
    """Value, and the interval on a line below."""
    return f"{number(of.value, signed)}\n{interval(of, signed)}".rstrip()


def p_value(p: float | None) -> str:
    """A p as papers write it, to two figures; nothing where there is none."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def shortened(text: str, length: int) -> str:
    """A text cut to `length` characters, with an ellipsis where it was longer."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
