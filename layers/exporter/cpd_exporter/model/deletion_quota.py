"""The deletions that a day has published."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeletionQuota:
    """The number of deletions that each sweep published on one day (``YYYY-MM-DD``).

    The sweep's name is the key, so that a sweep that crashes and runs again counts once.
    """

    day: str
    published: Mapping[str, int]
    revision: str

    @property
    def total(self) -> int:
        return sum(self.published.values())
