"""Checks that the API's date filter finds entries by their second.

A filter in another time zone, or one that returns nothing, looks like an empty API.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from cpd_exporter.errors import (
    AccessError,
    FilterError,
    PermanentError,
    ServerError,
    TransientError,
)
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.timestamps import EARLIEST, SECOND, floor_second, format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi, HasTimeLeft
from cpd_exporter.source.response import MAX_PER_PAGE, SLACK, query_fitting

MAX_CHECK_OUTAGES = 2
"""Failed requests after which a check takes no more samples: each may take half a minute."""

MAX_SERVER_ERRORS = 3
"""Answers of 500 that may be the fault of a listed record; more of them are an outage."""

type Place = Window | None
"""Where a sample may come from: a window, or a listing without a filter."""

_UNFILTERED = ((1, 100), (1, 1), (2, 1), (3, 1))
_FILTERED = ((1, 50), (1, 1))
"""Offset pages and page sizes. An entry that spoils its listings does not spoil them all."""

_MAX_SAMPLES = 3
"""Entries of one listing that the filter is asked for: one record alone may be at fault."""


@dataclass(frozen=True, slots=True)
class FilterCheck:
    """What a check showed.

    ``is_complete``: the filter found a sample of the first group. ``warning`` names a sample that
    could not be had, or one of several that the filter does not find. Each group whose samples the
    filter does not find has one in ``contradicting``; ``found`` are samples of the others. In all,
    the filter does not find ``missed`` samples.
    """

    is_complete: bool
    warning: str | None = None
    contradicting: tuple[Entry, ...] = ()
    found: tuple[Entry, ...] = ()
    missed: int = 0

    @property
    def is_odd(self) -> bool:
        """Whether one sample alone contradicts, and others do not: its record may be at fault."""
        return self.missed == 1 and bool(self.found)

    @property
    def contradiction(self) -> str:
        """What the filter does not find; empty if nothing contradicts it."""
        return "; ".join(map(_missed, self.contradicting))


def check_filter(
    api: EntriesApi,
    groups: Sequence[Sequence[Place]],
    *,
    until: datetime,
    has_time_left: HasTimeLeft = lambda: True,
) -> FilterCheck:
    """Ask the filter for the second of an entry of each group of places.

    The places of a group are alternatives, and the first group is the recent one. Only entries
    from before ``until`` are samples. Raises ``TransientError`` if the API answers nothing.
    """
    sampler = _Sampler(api, until, has_time_left)
    recent = sampler.sample(groups[0])
    results = [recent]
    if recent != _Samples():  # else the API is empty
        results += [sampler.sample(places) for places in groups[1:]]
    faults = [fault for one in results if one.found is None for fault in one.faults]
    missed = [sample for result in results for sample in result.contradicting.values()]
    faults += map(_missed, missed)
    return FilterCheck(
        is_complete=recent.found is not None,
        warning=f"the filter could not be checked fully: {faults[0]}" if faults else None,
        contradicting=tuple(
            next(iter(result.contradicting.values()))
            for result in results
            if result.contradicting and result.found is None
        ),
        found=tuple(result.found for result in results if result.found is not None),
        missed=len(missed),
    )


class _SampleVerdict(Enum):
    FOUND = auto()
    GONE = auto()
    CONTRADICTS = auto()


@dataclass(slots=True)
class _Samples:
    """What the samples of one group showed."""

    found: Entry | None = None
    contradicting: dict[str, Entry] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def is_decided(self) -> bool:
        """One record alone may be at fault, so a single one that contradicts decides nothing."""
        return self.found is not None or len(self.contradicting) > 1


@dataclass(slots=True)
class _Sampler:
    """Takes samples until the API has failed too often, or the time is over."""

    api: EntriesApi
    until: datetime
    has_time_left: HasTimeLeft
    has_answered: bool = False
    outages: int = 0
    server_errors: int = 0

    def sample(self, places: Sequence[Place]) -> _Samples:
        """Try the places in turn, until the filter finds a sample or several contradict."""
        result = _Samples()
        for place in places:
            # A sample of any time, listed without a filter, does not outweigh a known one.
            if result.is_decided or (result.contradicting and place is None):
                break
            if self.outages >= MAX_CHECK_OUTAGES:
                break
            if not self.has_time_left():
                result.faults.append("the API answers too slowly")
                break
            try:
                self._sample_place(place, result)
            except AccessError:
                raise
            except TransientError as error:
                self.outages += 1
                if self.outages >= MAX_CHECK_OUTAGES and not self.has_answered:
                    raise
                result.faults.append(str(error))
        return result

    def _sample_place(self, place: Place, result: _Samples) -> None:
        for page, per_page in _UNFILTERED if place is None else _FILTERED:
            try:
                listed = self.api.query(place, page=page, per_page=per_page).records
                self.has_answered = True
                samples = [one for one in listed if isinstance(one, Entry) and self._counts(one)]
                for sample in _latest(samples):
                    verdict = _judge(self.api, sample)
                    if verdict is _SampleVerdict.FOUND:
                        result.found = sample
                    if verdict is _SampleVerdict.CONTRADICTS:
                        result.contradicting[sample.id] = sample
                    if result.is_decided:
                        return
            except (PermanentError, ServerError) as error:
                self.server_errors += isinstance(error, ServerError)
                if self.server_errors > MAX_SERVER_ERRORS:
                    raise
                result.faults.append(str(error))
                continue
            if result.contradicting or not samples:
                return

    def _counts(self, entry: Entry) -> bool:
        """Entries before the first date to export count: the API may list no others unfiltered."""
        return EARLIEST <= entry.date < self.until


def _latest(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The latest entries, each of another second."""
    by_second = {floor_second(e.date): e for e in sorted(entries, key=lambda e: (e.date, e.id))}
    for second in sorted(by_second, reverse=True)[:_MAX_SAMPLES]:
        yield by_second[second]


def _judge(api: EntriesApi, sample: Entry) -> _SampleVerdict:
    """Look for an entry by its second."""
    second = Window(floor_second(sample.date), floor_second(sample.date) + SECOND)
    try:
        found, _ = query_fitting(api, second.widened(SLACK), MAX_PER_PAGE)
    except FilterError:
        return _SampleVerdict.CONTRADICTS
    # A full response may leave out any entry, but all of its rows lie in the window.
    full = len(found.records) >= found.per_page
    if full or any(record.id == sample.id for record in found.records):
        return _SampleVerdict.FOUND
    still = api.entry(sample.id)
    if isinstance(still, Entry) and still.date == sample.date:
        return _SampleVerdict.CONTRADICTS
    return _SampleVerdict.GONE


def _missed(sample: Entry) -> str:
    return (
        f"the API has an entry at {format_instant(sample.date)}, but a query for that second does "
        "not list it, or lists others"
    )
