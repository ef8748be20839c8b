"""What the tests of the AWS adapters share."""

from datetime import UTC, datetime, timedelta

from cpd_exporter.model.event import Event
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.watermark import Watermark

START = datetime(2026, 1, 1, tzinfo=UTC)


DAY = timedelta(days=1)


WATERMARK = Watermark("timeline", START, START, START, START)


def works_of(count: int) -> list[PageMessage]:
    """The messages of so many pages of a day each."""
    return [
        PageMessage(tenant_id="t", start=START + n * DAY, end=START + (n + 1) * DAY, generation=1)
        for n in range(count)
    ]


def numbered_events(count: int) -> list[Event]:
    return [Event(f"event-{n}", f"entry-{n}", f"body {n}", {}) for n in range(count)]
