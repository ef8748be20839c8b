"""The breaker, the notes of index garbage, flagged pages and bounded ranges, in every timeline."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import ConditionalWrite, MissingEntry, Page, PageFlag, PageState
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.support.timelines import DAY, NOW, ORIGIN, START

FIRST = Breaker("1", DayCount("2026-03-15", 3))
SECOND = Breaker("2", DayCount("2026-03-15", 500), opened_at=NOW, confirmed_through=NOW - DAY)


@pytest.fixture(autouse=True)
def begun(timeline: Timeline) -> None:
    timeline.begin(START)


def done(day: int, **facts: object) -> Page:
    window = Window(ORIGIN + day * DAY, ORIGIN + (day + 1) * DAY)
    page = Page(window, 1, "timeline", "1", state=PageState.DONE)
    return replace(page, **facts)  # type: ignore[arg-type]  # any fields of a page


class TestBreaker:
    def test_there_is_none_at_first(self, timeline: Timeline) -> None:
        assert timeline.breaker() is None

    def test_is_replaced(self, timeline: Timeline) -> None:
        assert timeline.update_breaker(BreakerChange(None, FIRST))
        assert timeline.update_breaker(BreakerChange(FIRST, SECOND))
        assert timeline.breaker() == SECOND
        assert timeline.update_breaker(BreakerChange(SECOND, FIRST))
        assert timeline.breaker() == FIRST

    def test_of_two_that_write_one_does(self, timeline: Timeline) -> None:
        assert timeline.update_breaker(BreakerChange(None, FIRST))
        assert not timeline.update_breaker(BreakerChange(None, SECOND))
        assert timeline.update_breaker(BreakerChange(FIRST, SECOND))
        assert not timeline.update_breaker(BreakerChange(FIRST, replace(SECOND, revision="3")))
        assert timeline.breaker() == SECOND

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline) -> None:
        for change in (BreakerChange(None, FIRST), BreakerChange(FIRST, SECOND)):
            for _ in range(2):
                assert timeline.update_breaker(change)

    def test_one_that_is_not_there_is_not_changed(self, timeline: Timeline) -> None:
        assert not timeline.update_breaker(BreakerChange(FIRST, SECOND))
        assert timeline.breaker() is None

    def test_is_written_with_pages_or_not_at_all(self, timeline: Timeline) -> None:
        page = done(0)
        timeline.append([page], after=ORIGIN)
        changed = replace(page, revision="2", deletions_counted=DayCount("2026-03-15", 3))
        write = ConditionalWrite(page, changed)
        assert not timeline.commit([write], BreakerChange(SECOND, FIRST))
        assert timeline.page(ORIGIN) == page
        assert timeline.commit([write], BreakerChange(None, FIRST))
        assert (timeline.page(ORIGIN), timeline.breaker()) == (changed, FIRST)
        assert timeline.commit([write], BreakerChange(None, FIRST))  # the answer was lost
        late = replace(changed, revision="3")
        assert not timeline.commit([ConditionalWrite(page, late)], BreakerChange(FIRST, SECOND))
        assert (timeline.page(ORIGIN), timeline.breaker()) == (changed, FIRST)

    def test_counts_as_one_of_a_hundred_writes(self, timeline: Timeline) -> None:
        writes = [ConditionalWrite(None, done(day)) for day in range(100)]
        with pytest.raises(ValueError, match="101"):
            timeline.commit(writes, BreakerChange(None, FIRST))
        assert timeline.commit(writes[:99], BreakerChange(None, FIRST))


class TestFlaggedPages:
    def test_hold_deletions_back_or_have_quarantined_records(self, timeline: Timeline) -> None:
        held = done(1, missing={"a": MissingEntry(NOW, held_at=NOW), "b": MissingEntry(NOW)})
        faulty, both = done(2, quarantined=1), done(5, missing=held.missing, quarantined=1)
        others = [done(0), done(3, missing={"a": MissingEntry(NOW)}), done(4, state=PageState.OPEN)]
        pages = sorted([held, faulty, both, *others], key=lambda page: page.window.start)
        timeline.append(pages, after=ORIGIN)
        assert list(timeline.flagged(PageFlag.HELD)) == [held, both]
        assert list(timeline.flagged(PageFlag.QUARANTINED)) == [faulty]
        assert list(timeline.undone()) == others[2:]

    def test_come_and_go(self, timeline: Timeline) -> None:
        def found() -> tuple[list[Page], list[Page]]:
            return list(timeline.undone()), list(timeline.flagged(PageFlag.QUARANTINED))

        page = done(0, state=PageState.OPEN, quarantined=1)
        timeline.append([page], after=ORIGIN)
        assert found() == ([page], [])
        ended = replace(page, state=PageState.DONE, revision="2")
        assert timeline.update(page, ended)
        assert found() == ([], [ended])
        clean = replace(ended, quarantined=0, revision="3")
        assert timeline.commit([ConditionalWrite(ended, clean)])
        assert found() == ([], [])


class TestBoundedRanges:
    def test_pages_start_before_the_end(self, timeline: Timeline) -> None:
        pages = [done(day) for day in range(4)]
        timeline.append(pages, after=ORIGIN)
        second = timedelta(seconds=1)
        assert list(timeline.pages(ORIGIN + DAY, ORIGIN + 3 * DAY)) == pages[1:3]
        assert list(timeline.pages(ORIGIN + DAY, ORIGIN + 2 * DAY + second)) == pages[1:3]
        assert list(timeline.pages(ORIGIN, ORIGIN + second)) == pages[:1]
        assert list(timeline.pages(ORIGIN, ORIGIN + 9 * DAY)) == pages

    def test_nothing_starts_before_the_start(self, timeline: Timeline) -> None:
        timeline.append([done(0)], after=ORIGIN)
        assert list(timeline.pages(ORIGIN, ORIGIN)) == []
        assert list(timeline.pages(ORIGIN + DAY, ORIGIN)) == []


class TestGarbage:
    def note(self, name: str, days: int = 0) -> IndexGarbage:
        return IndexGarbage(name, NOW + days * DAY, {f"index/größe {name}": ORIGIN})

    def test_comes_oldest_first_up_to_an_instant(self, timeline: Timeline) -> None:
        notes = [self.note("b"), self.note("a", 1), self.note("c", 1), self.note("d", 2)]
        for note in reversed(notes):
            timeline.note_garbage(note)
        assert list(timeline.garbage(NOW + 2 * DAY)) == notes[:3]
        assert list(timeline.garbage(NOW)) == []

    def test_is_dropped(self, timeline: Timeline) -> None:
        timeline.note_garbage(self.note("a"))
        timeline.note_garbage(self.note("b"))
        for _ in range(2):
            timeline.drop_garbage(self.note("a"))
        assert list(timeline.garbage(NOW + DAY)) == [self.note("b")]
