"""Index objects that may have no page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class IndexGarbage:
    """The index objects that one merge or split may leave without a page, noted before it.

    ``starts`` gives the start of each lake key's page: only the page that covers this instant can
    name the object. No key is used twice, so once that page is free and names another object,
    nothing names this one again.
    """

    name: str
    noted_at: datetime
    starts: Mapping[str, datetime]
