"""Requests to sweep one page."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A request to sweep the page that covers ``at``."""

    at: datetime
    requested_at: datetime
