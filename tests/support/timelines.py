"""Pages and sweeps for the timeline's contract."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cpd_exporter.model.page import (
    Page,
    sweep_of,
)
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window

TENANT = "eu-west-2_AbcdEfghI"


ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)


DAY = timedelta(days=1)


# Clocks have microseconds, and none may be lost: the core compares what it wrote and what it read.
NOW = datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)


LATER = NOW + timedelta(minutes=1)


START = Watermark("timeline", ORIGIN, ORIGIN, ORIGIN, ORIGIN)


def days(first: int, end: int, *, revision: str = "planned") -> list[Page]:
    return [
        Page(Window(ORIGIN + day * DAY, ORIGIN + (day + 1) * DAY), 1, "timeline", revision)
        for day in range(first, end)
    ]


def sweep(pages: Sequence[Page], revision: str = "reserved") -> Page:
    return sweep_of(pages, revision=revision)
