"""The minutes that each user logged in a period: `GET /cpdUserLogSummaries`, pure."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.behaviour import Behaviour
from simulator.listing import MAX_PER_PAGE, Query
from simulator.refusal import Refused
from simulator.source import StoredEntry

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """A call; `Refused` with 400 where the documentation forbids it. No user IDs: all users."""

    asked: Query
    user_ids: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.asked.entry_date_from is None or self.asked.entry_date_to is None:
            raise Refused(400, "entryDateFrom and entryDateTo are required")

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> "SummaryQuery":
        """Read the query string; user IDs are separated by commas."""
        for name in ("entryDateFrom", "entryDateTo"):
            if name in parameters and not _DATE.fullmatch(parameters[name]):
                raise Refused(400, f"{name} must be a date of the form YYYY-MM-DDThh:mm:ss")
        user_ids = frozenset(filter(None, parameters.get("userIds", "").split(",")))
        return cls(Query.parse(parameters), user_ids)


@dataclass(frozen=True, slots=True)
class SummaryListing:
    """The answer: users and their minutes."""

    records: tuple[tuple[str, int], ...]
    total_results: int
    page: int
    per_page: int

    @property
    def content(self) -> str:
        """The JSON of the response."""
        pagination = {
            "totalResults": self.total_results,
            "totalPages": -(-self.total_results // self.per_page),
            "page": self.page,
            "perPage": self.per_page,
        }
        results = [{"userId": user, "durationMinutes": sum_} for user, sum_ in self.records]
        return json.dumps({"pagination": pagination, "results": results})


def summary_of(
    found: Iterable[StoredEntry], query: SummaryQuery, behaviour: Behaviour, salt: tuple[int, ...]
) -> SummaryListing:
    """Sum up what the filter let through and cut one page out of it, by user ID unless shuffled.

    Entries without a user or without whole minutes count for nobody.
    """
    minutes: Counter[str] = Counter()
    for entry in found:
        user, logged = _logged(entry.value)
        if user is not None and (not query.user_ids or user in query.user_ids):
            minutes[user] += logged
    users = _in_order(sorted(minutes), behaviour, salt)
    per_page = min(query.asked.per_page, behaviour.per_page_cap or MAX_PER_PAGE)
    start = (query.asked.page - 1) * per_page
    return SummaryListing(
        records=tuple((user, minutes[user]) for user in users[start : start + per_page]),
        total_results=max(
            0, math.ceil(len(users) * behaviour.totals_factor) + behaviour.totals_extra
        ),
        page=query.asked.page,
        per_page=per_page,
    )


def _in_order(users: list[str], behaviour: Behaviour, salt: tuple[int, ...]) -> Sequence[str]:
    if behaviour.shuffle == "all":
        # Not the hash of a text, which differs from one process to the next.
        return sorted(users, key=lambda user: hash((salt, int.from_bytes(user.encode()))))
    return users if behaviour.order == "ascending" else users[::-1]


def _logged(value: Any) -> tuple[str | None, int]:
    if not isinstance(value, dict):
        return None, 0
    user, minutes = value.get("userId"), value.get("durationMinutes")
    if not isinstance(user, str) or not isinstance(minutes, int) or isinstance(minutes, bool):
        return None, 0
    return user, minutes
