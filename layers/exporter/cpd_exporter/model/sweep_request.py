"""Requests to sweep one page."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A request to sweep the page that covers ``at``.

    With an ``entry_id``, the sweep publishes that entry again if the page lists it, since another
    page may have published it in the meantime. A row stored after ``stored_after`` makes that
    unnecessary.
    """

    at: datetime
    requested_at: datetime
    entry_id: str = ""
    stored_after: datetime | None = None
