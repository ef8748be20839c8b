"""Only what the queue surely holds counts as sent."""

from collections.abc import Sequence
from datetime import timedelta

from cpd_exporter.dispatch import send
from cpd_exporter.model.message import Message
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, page, works
from tests.support.world import NOW


class Lossy(FakeQueue):
    """Accepts every other message."""

    def send(self, work: Sequence[Message]) -> list[Message]:
        return super().send(work[::2])


def test_only_what_is_surely_in_the_queue_counts_as_sent() -> None:
    timeline, queue = FakeTimeline(), Lossy()
    pages = [page(start=START + timedelta(hours=hour)) for hour in range(5)]
    timeline.stored_pages = {each.window.start: each for each in pages}
    assert send(pages, timeline=timeline, queue=queue, clock=lambda: NOW) == 3
    sent = [each.window for each in timeline.stored_pages.values() if each.sent_at == NOW]
    assert sent == [work.window for work in works(queue)]
    assert [each.sent_at for each in timeline.stored_pages.values()].count(None) == 2


def test_nothing_to_send_sends_nothing() -> None:
    timeline, queue = FakeTimeline(), FakeQueue()
    assert send([], timeline=timeline, queue=queue, clock=lambda: NOW) == 0
