"""The offset page that answers a query: a pure function of entries and behaviour."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from simulator.behaviour import Behaviour
from simulator.refusal import Refused
from simulator.source import StoredEntry, to_ms

PER_PAGE_DEFAULT = 100
MAX_PER_PAGE = 1000

_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d)?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """A call of `GET /cpdEntries`; `Refused` with 400 where the documentation forbids it.

    The dates are whole seconds as the client writes them, read as UTC. The simulator shifts them
    by the filter's time zone when it answers.
    """

    page: int = 1
    per_page: int = PER_PAGE_DEFAULT
    entry_date_from: datetime | None = None
    entry_date_to: datetime | None = None

    def __post_init__(self) -> None:
        if self.page < 1:
            raise Refused(400, "page must be 1 or more")
        if not 1 <= self.per_page <= MAX_PER_PAGE:
            raise Refused(400, f"perPage must be from 1 to {MAX_PER_PAGE}")
        for date in (self.entry_date_from, self.entry_date_to):
            if date is not None and date.microsecond:
                raise ValueError("the filter accepts whole seconds only")

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> "Query":
        """Read the query string; parameters that are not documented have no effect."""
        return cls(
            page=_integer(parameters, "page", 1),
            per_page=_integer(parameters, "perPage", PER_PAGE_DEFAULT),
            entry_date_from=_date(parameters, "entryDateFrom"),
            entry_date_to=_date(parameters, "entryDateTo"),
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The query string of this call."""
        parameters = {"page": str(self.page), "perPage": str(self.per_page)}
        if self.entry_date_from is not None:
            parameters["entryDateFrom"] = f"{self.entry_date_from:%Y-%m-%d %H:%M:%S}"
        if self.entry_date_to is not None:
            parameters["entryDateTo"] = f"{self.entry_date_to:%Y-%m-%d %H:%M:%S}"
        return parameters


@dataclass(frozen=True, slots=True)
class EntriesPage:
    """One offset page of entries: the answer to a query."""

    entries: tuple[StoredEntry, ...]
    total_results: int
    page: int
    per_page: int

    @property
    def total_pages(self) -> int:
        return -(-self.total_results // self.per_page)

    @property
    def content(self) -> str:
        """The JSON of the response, each entry exactly as it is held."""
        return (
            f'{{"pagination": {{"totalResults": {self.total_results}, '
            f'"totalPages": {self.total_pages}, "page": {self.page}, "perPage": {self.per_page}}}, '
            f'"results": [{", ".join(entry.text for entry in self.entries)}]}}'
        )


def date_range(query: Query, behaviour: Behaviour) -> tuple[int | None, int | None]:
    """The half-open range of dates (ms) that the filter lets through; `None` is unbounded."""
    unit = _unit(behaviour)
    first = end = None
    if query.entry_date_from is not None:
        first = _bound_ms(query.entry_date_from, behaviour)
        first += 0 if behaviour.from_inclusive else unit
    if query.entry_date_to is not None:
        end = _bound_ms(query.entry_date_to, behaviour)
        end += unit if behaviour.to_inclusive else 0
    return first, end


def _bound_ms(written: datetime, behaviour: Behaviour) -> int:
    """What the filter takes a date to mean that a client wrote."""
    fold = int(behaviour.filter_repeated_hour == "second")
    zone = ZoneInfo(behaviour.filter_time_zone)
    return to_ms(written.replace(tzinfo=zone, fold=fold)) - behaviour.filter_offset_seconds * 1000


def offset_page_of(
    found: Sequence[StoredEntry], query: Query, behaviour: Behaviour, salt: tuple[int, ...]
) -> EntriesPage:
    """Return one offset page of the entries that the filter found, sorted by date.

    `salt` decides the order of shuffled entries: equal salts give equal orders.
    """
    per_page = min(query.per_page, behaviour.per_page_cap or MAX_PER_PAGE)
    start = min((query.page - 1) * per_page, len(found))
    stop = min(start + per_page, len(found))
    total = math.ceil(len(found) * behaviour.totals_factor) + behaviour.totals_extra
    return EntriesPage(
        entries=tuple(_in_order(found, start, stop, behaviour, salt)),
        total_results=max(0, total),
        page=query.page,
        per_page=per_page,
    )


def _in_order(
    found: Sequence[StoredEntry], start: int, stop: int, behaviour: Behaviour, salt: tuple[int, ...]
) -> Sequence[StoredEntry]:
    ordered = found if behaviour.order == "ascending" else found[::-1]
    if behaviour.shuffle == "none" or start == stop:
        return ordered[start:stop]

    unit = _unit(behaviour) if behaviour.shuffle == "ties" else None

    def tie(entry: StoredEntry) -> int:
        return 0 if unit is None else entry.at_ms // unit

    def draw(entry: StoredEntry) -> int:
        return hash((salt, entry.number))

    # A shuffle covers a whole tie, even if the page shows only a part of it.
    low, high = start, stop
    if unit is None:
        low, high = 0, len(ordered)
    while low > 0 and tie(ordered[low - 1]) == tie(ordered[start]):
        low -= 1
    while high < len(ordered) and tie(ordered[high]) == tie(ordered[stop - 1]):
        high += 1
    shuffled: list[StoredEntry] = []
    for _, group in groupby(ordered[low:high], key=tie):
        shuffled.extend(sorted(group, key=draw))
    return shuffled[start - low : stop - low]


def _unit(behaviour: Behaviour) -> int:
    return 1000 if behaviour.precision == "second" else 1


def _integer(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise Refused(400, f"{name} must be an integer")
    return int(text)


def _date(parameters: Mapping[str, str], name: str) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    refusal = Refused(400, f"{name} must be a date of the form YYYY-MM-DD hh:mm:ss")
    if not _DATE.fullmatch(text):
        raise refusal
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise refusal from error
