"""An API whose entries lie at even distances: it needs no store, however many there are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, read_listing
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Clock

_ENTRY = (
    '{"logEntryId":"%024x","userId":"5500a1b2c3d4e5f601234567","activity":{"type":"article",'
    '"name":"Führung auf Distanz — Grundlagen"},"category":{"categoryId":"6610a1b2c3d4e5f6",'
    '"name":"Clinical"},"entryDate":"%s","durationMinutes":45,"description":"I will change how I '
    "hand over at the end of a shift. Überraschend hilfreich — vor allem die Übungen zur "
    'Gesprächsführung.","isVerified":true}'
)


class EvenApi:
    """An entry each ``gap`` after ``first``, up to now; its bounds are exclusive."""

    def __init__(self, first: datetime, gap: timedelta, clock: Clock) -> None:
        self.calls = 0
        self.may_ask = True
        self.notice: str | None = None
        self._first = first
        self._gap = gap
        self._clock = clock

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        self.calls += 1
        last = (self._clock() - self._first) // self._gap
        start, end = 0, last + 1
        if window is not None:
            start = max(0, (window.start - self._first) // self._gap + 1)
            end = min(end, -((self._first - window.end) // self._gap))
        total = max(0, end - start)
        places = range(start + (page - 1) * per_page, min(end, start + page * per_page))
        entries = ",".join(_ENTRY % (place, self._date(place)) for place in places)
        body = (
            f'{{"pagination":{{"totalResults":{total},"totalPages":{-(-total // per_page)},'
            f'"page":{page},"perPage":{per_page}}},"results":[{entries}]}}'
        )
        return read_listing(body.encode(), self._clock())

    def _date(self, place: int) -> str:
        date = self._first + place * self._gap
        return f"{date.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{date.microsecond // 1000:03}Z"

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        raise NotImplementedError

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        raise NotImplementedError

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        raise NotImplementedError
