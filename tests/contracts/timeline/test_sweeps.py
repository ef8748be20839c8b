"""How sweeps reserve, merge and divide pages, all or nothing."""

from dataclasses import replace

import pytest

from cpd_exporter.model.page import (
    ConditionalWrite,
    MissingEntry,
    Page,
    PageState,
    WorkKind,
    reserving,
)
from cpd_exporter.ports import Timeline
from tests.support.timelines import NOW, ORIGIN, START, days, sweep


class TestUpdatingSweeps:
    def test_replaces_the_sweep_and_not_the_page(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        whole = sweep(planned)
        timeline.commit([ConditionalWrite(None, whole)])
        claimed = replace(whole, revision="claimed", attempts=1, lease_until=NOW)
        assert timeline.update(whole, claimed)
        assert not timeline.update(whole, replace(whole, revision="late"))
        assert list(timeline.sweeps()) == [claimed]
        assert list(timeline.pages(ORIGIN)) == planned

    def test_sweeps_are_marked_as_sent(self, timeline: Timeline, planned: list[Page]) -> None:
        whole = sweep(planned)
        timeline.commit([ConditionalWrite(None, whole)])
        timeline.mark_sent([whole], NOW)
        assert list(timeline.sweeps()) == [replace(whole, sent_at=NOW)]
        assert list(timeline.pages(ORIGIN)) == planned

    def test_what_is_missing_comes_and_goes(self, timeline: Timeline, planned: list[Page]) -> None:
        first = replace(
            planned[0], revision="2", missing={"a": MissingEntry(NOW), "b": MissingEntry(NOW)}
        )
        second = replace(first, revision="3", missing={"b": MissingEntry(NOW, NOW)})
        third = replace(second, revision="4", missing={})
        for before, after in ((planned[0], first), (first, second), (second, third)):
            assert timeline.update(before, after)
            assert timeline.page(ORIGIN) == after


class TestCommitting:
    """A sweep's life: it reserves pages, and one page takes the place of them all."""

    @pytest.fixture
    def done(self, timeline: Timeline) -> list[Page]:
        timeline.begin(START)
        pages = [replace(page, state=PageState.DONE) for page in days(0, 3)]
        assert timeline.append(pages, after=ORIGIN)
        return pages

    @staticmethod
    def merging(pages: list[Page], whole: Page, revision: str = "merged") -> list[ConditionalWrite]:
        merged = replace(
            whole, kind=WorkKind.PAGE, state=PageState.DONE, revision=revision, index_key="k"
        )
        first, *rest = pages
        return [
            ConditionalWrite(first, merged),
            *(ConditionalWrite(page, None) for page in rest),
            ConditionalWrite(whole, None),
        ]

    def test_reserves(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        assert timeline.commit(reserving(done, whole, revision="r2"))
        reserved = [replace(page, reserved_by=whole.name, revision="r2") for page in done]
        assert list(timeline.pages(ORIGIN)) == reserved
        assert list(timeline.sweeps()) == [whole]
        assert list(timeline.undone()) == []

    def test_of_two_that_reserve_one_does(self, timeline: Timeline, done: list[Page]) -> None:
        first, second = sweep(done[:2], "first"), sweep(done[1:], "second")
        assert timeline.commit(reserving(done[:2], first, revision="r2"))
        assert not timeline.commit(reserving(done[1:], second, revision="r3"))
        assert list(timeline.sweeps()) == [first]
        assert timeline.page(done[2].window.start) == done[2]

    def test_two_do_not_begin_one_sweep(self, timeline: Timeline, done: list[Page]) -> None:
        assert timeline.commit([ConditionalWrite(None, sweep(done, "first"))])
        assert not timeline.commit([ConditionalWrite(None, sweep(done, "second"))])
        assert list(timeline.sweeps()) == [sweep(done, "first")]

    def test_merges(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        writes = self.merging(list(timeline.pages(ORIGIN)), whole)
        assert timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]
        assert list(timeline.sweeps()) == []
        assert list(timeline.undone()) == []

    @pytest.mark.parametrize("written", [0, 2, "sweep"])
    def test_all_or_nothing(self, timeline: Timeline, done: list[Page], written: int | str) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        item = reserved[written] if isinstance(written, int) else whole
        assert timeline.update(item, replace(item, revision="another's", attempts=9))
        before = list(timeline.pages(ORIGIN)), list(timeline.sweeps())
        assert not timeline.commit(self.merging(reserved, whole))
        assert (list(timeline.pages(ORIGIN)), list(timeline.sweeps())) == before

    def test_a_page_that_is_gone_cannot_be_removed(
        self, timeline: Timeline, done: list[Page]
    ) -> None:
        low, high = sweep(done[1:2]), sweep(done[2:])
        timeline.commit([ConditionalWrite(None, low)])
        assert not timeline.commit(
            [ConditionalWrite(low, replace(low, revision="2")), ConditionalWrite(high, None)]
        )
        assert list(timeline.sweeps()) == [low]

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        for _ in range(2):
            assert timeline.commit(reserving(done, whole, revision="r2"))
        writes = self.merging(list(timeline.pages(ORIGIN)), whole)
        for _ in range(2):
            assert timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]

    def test_of_two_that_merge_one_does(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        writes = self.merging(reserved, whole)
        assert timeline.commit(writes)
        assert not timeline.commit(self.merging(reserved, whole, "later"))
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]

    def test_a_late_worker_can_no_longer_write(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        timeline.commit(self.merging(reserved, whole))
        assert not timeline.update(whole, replace(whole, revision="late"))
        assert not timeline.update(reserved[1], replace(reserved[1], revision="late"))
        timeline.mark_sent([whole, reserved[1]], NOW)
        assert len(list(timeline.pages(ORIGIN))) == 1
        assert list(timeline.sweeps()) == []

    def test_divides_a_sweep(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        low, high = (
            replace(sweep(pages, "divided"), generation=whole.generation + 1)
            for pages in (reserved[:1], reserved[1:])
        )
        assert timeline.commit(
            [
                *reserving(reserved[:1], low, revision="r3", instead_of=whole),
                *reserving(reserved[1:], high, revision="r3"),
            ]
        )
        assert list(timeline.sweeps()) == [low, high]
        names = [page.reserved_by for page in timeline.pages(ORIGIN)]
        assert names == [low.name, high.name, high.name]

    def test_takes_100_and_no_more(self, timeline: Timeline) -> None:
        timeline.begin(START)
        missing = {f"{number:024x}": MissingEntry(NOW) for number in range(10)}
        pages = [replace(page, state=PageState.DONE, missing=missing) for page in days(0, 99)]
        assert timeline.append(pages, after=ORIGIN)
        whole = sweep(pages)
        with pytest.raises(ValueError, match="100"):
            timeline.commit(
                [*reserving(pages, whole, revision="r2"), ConditionalWrite(None, whole)]
            )
        assert timeline.commit(reserving(pages, whole, revision="r2"))
        assert timeline.commit(self.merging(list(timeline.pages(ORIGIN)), whole))
        assert len(list(timeline.pages(ORIGIN))) == 1

    def test_a_page_with_everything_missing_still_fits(
        self, timeline: Timeline, done: list[Page]
    ) -> None:
        missing = {f"{number:024x}": MissingEntry(NOW) for number in range(8000)}
        emptied = replace(done[0], revision="2", missing=missing)
        assert timeline.commit([ConditionalWrite(done[0], emptied)])
        assert timeline.page(ORIGIN) == emptied

    def test_the_first_write_must_leave_an_item(self, timeline: Timeline, done: list[Page]) -> None:
        for writes in ([], [ConditionalWrite(done[0], None)]):
            with pytest.raises(ValueError, match="write"):
                timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == done
