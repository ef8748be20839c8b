"""What calls cost in the simulated world, where its services have limits, and how its API lies."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.adapters.aws.timeline_items import PAGE
from cpd_exporter.errors import OversizedResponseError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import Page
from cpd_exporter.model.window import Window


@dataclass(frozen=True, slots=True)
class Costs:
    """The time that a worker's calls take, and limits; ``None`` leaves one out.

    A worker that still works after ``time_out`` is killed. A call of the API takes ``call``, and
    the topic takes ``events_per_second``. The table refuses an item of more than
    ``max_item_bytes``, the client a response of more than ``max_body_bytes``.
    """

    call: timedelta = timedelta(0)
    time_out: timedelta | None = None
    events_per_second: int | None = None
    max_body_bytes: int | None = None
    max_item_bytes: int | None = None

    @property
    def reserve(self) -> timedelta:
        """What a job needs left to go on: half of the time-out."""
        return (self.time_out or timedelta(0)) / 2

    def check_body(self, listing: Listing) -> None:
        """Raise what the client raises for a response that is too large."""
        size = sum(len(str(getattr(record, "content", ""))) for record in listing.records)
        if self.max_body_bytes is not None and size > self.max_body_bytes:
            raise OversizedResponseError(f"a response of more than {self.max_body_bytes} bytes")

    def check_item(self, page: Page) -> None:
        """Raise what the adapter raises for an item that is too large."""
        if self.max_item_bytes is not None and item_bytes(page) > self.max_item_bytes:
            raise TransientError("dynamodb failed (ValidationException)")


def item_bytes(page: Page) -> int:
    """About what DynamoDB counts: names and values, as the adapter stores them."""
    return _bytes(PAGE.encode(page))


def _bytes(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(str(name)) + 1 + _bytes(one) for name, one in value.items())
    return len(str(value).encode())


@dataclass(frozen=True, slots=True)
class Lie:
    """Wrong listings of ranges longer than ``wider_than``, until an instant.

    ``empty``: nothing, with a total of zero. ``fewer``: half of the records, with a total that
    agrees. ``short``: half of the records, with the right total. ``repeated``: the first record in
    the place of the last one.
    """

    kind: str
    wider_than: timedelta
    until: datetime

    def of(self, listing: Listing, window: Window | None, now: datetime) -> Listing:
        """The listing as this API gives it."""
        if window is None or now >= self.until or window.length <= self.wider_than:
            return listing
        records = listing.records
        half = records[: len(records) // 2]
        match self.kind:
            case "empty":
                return replace(listing, records=(), total=0)
            case "fewer":
                return replace(listing, records=half, total=listing.total // 2)
            case "short":
                return replace(listing, records=half)
            case "repeated" if len(records) > 1:
                return replace(listing, records=(*records[:-1], records[0]))
            case _:
                return listing
