"""The breaker: which deletions it holds, and which ones a confirmation covers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.model.breaker import Breaker, DayCount
from cpd_exporter.model.page import MissingEntry, Page, PageFlag, PageState
from tests.support.samples import page

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
HELD = MissingEntry(NOW - timedelta(days=1), held_at=NOW)


@pytest.mark.parametrize(
    ("confirmed_through", "is_confirmed"),
    [(None, False), (NOW - timedelta.resolution, False), (NOW, True), (NOW + timedelta(1), True)],
)
def test_a_confirmation_covers_what_was_held_by_then(
    confirmed_through: datetime | None, is_confirmed: bool
) -> None:
    breaker = Breaker("r", confirmed_through=confirmed_through)
    assert breaker.confirms(HELD) == is_confirmed
    assert breaker.holds(HELD) == (not is_confirmed)
    assert breaker.count_held({"a": HELD, "b": replace(HELD, held_at=None)}) == (not is_confirmed)


def test_an_entry_that_is_only_missing_is_neither_held_nor_confirmed() -> None:
    breaker = Breaker("r", confirmed_through=NOW)
    missing = MissingEntry(NOW - timedelta(days=9))
    assert not breaker.holds(missing)
    assert not breaker.confirms(missing)


def test_a_day_has_its_own_count() -> None:
    breaker = Breaker("r", DayCount("2026-03-15", 3))
    assert breaker.published_on("2026-03-15") == 3
    assert breaker.published_on("2026-03-16") == 0
    assert Breaker("r").published_on("2026-03-15") == 0


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        (page(), None),
        (page(quarantined=2), PageFlag.QUARANTINED),
        (page(missing={"a": HELD}), PageFlag.HELD),
        (page(missing={"a": HELD}, quarantined=2), PageFlag.HELD),
        (page(missing={"a": replace(HELD, held_at=None)}), None),
    ],
)
def test_a_done_page_is_flagged_by_what_it_holds(changed: Page, flag: PageFlag | None) -> None:
    assert changed.flag is None
    assert replace(changed, state=PageState.DONE).flag is flag
