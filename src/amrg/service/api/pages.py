"""Pages of lists: by the number of the last row, so that a row that comes in meanwhile moves no other."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=500, description="rows of a page")]
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before")]


class Page(BaseModel, Generic[Item]):
    """Rows, newest first; `next` asks for the page after it as `before`, and is empty on the last one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[Item, ...]
    next: int | None = Field(None)


def rows_of_page(
    session: Session, found: Select[Any], number: InstrumentedAttribute[int], limit: int, before: int | None
) -> tuple[list[Any], int | None]:
    """The rows of a page, and what asks for the next one."""
    if before is not None:
        found = found.where(number < before)
    rows = list(session.scalars(found.order_by(number.desc()).limit(limit + 1)))
    following = getattr(rows[limit - 1], number.key) if len(rows) > limit else None
    return rows[:limit], following
