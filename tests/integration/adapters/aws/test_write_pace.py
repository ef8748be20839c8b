"""A tick's writes stay below what one partition takes: 1,000 write units a second.

A stub with a token bucket plays DynamoDB, by a virtual clock.
"""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.aws.write_pace import WritePace
from cpd_exporter.errors import TransientError
from cpd_exporter.model.page import Page, PageState, reserving, sweep_of
from cpd_exporter.model.window import Window
from tests.support.aws import DAY, START
from tests.support.virtual_clock import VirtualClock

UNITS_PER_SECOND = 1000
CALL_SECONDS = 0.004
PAGES = 495
CODES = {1: "ProvisionedThroughputExceededException", 2: "TransactionCanceledException"}


class Partition1000:
    """Counts what each write costs: an item and its index, twice in a transaction, by the KB."""

    class exceptions:  # noqa: N801  # as boto3 has it
        class ConditionalCheckFailedException(Exception): ...  # noqa: N818  # as above

        TransactionCanceledException = ClientError

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.answers: Counter[str] = Counter()
        self._tokens, self._filled_at = float(UNITS_PER_SECOND), 0.0
        self._lock = threading.Lock()

    def transact_write_items(self, *, TransactItems: list[Any], **_: Any) -> Any:  # noqa: N803
        requests = [request for item in TransactItems for request in item.values()]
        return self._take([2 * units(request) for request in requests], 2)

    def update_item(self, **request: Any) -> Any:
        return self._take([units(request)], 1)

    put_item = delete_item = update_item

    def get_item(self, **_: Any) -> Any:
        return {}

    def _take(self, costs: list[int], factor: int) -> Any:
        self.clock.sleep(CALL_SECONDS)
        with self._lock:
            now = self.clock.now()
            filled = self._tokens + (now - self._filled_at) * UNITS_PER_SECOND
            self._tokens, self._filled_at = min(UNITS_PER_SECOND, filled), now
            if self._tokens < sum(costs):
                self.answers["throttled"] += 1
                reasons = [{"Code": "ThrottlingError"} for _ in costs]
                answer: Any = {"Error": {"Code": CODES[factor]}, "CancellationReasons": reasons}
                raise ClientError(answer, "TransactWriteItems")
            self._tokens -= sum(costs)
            self.answers["accepted"] += 1
            table = {"CapacityUnits": sum(costs)}
            return {"ConsumedCapacity": [table] if factor == 2 else table}


def units(request: Any) -> int:
    """A page's item has less than 1 KB. An update of it writes its index anew."""
    if "Item" in request:
        return 1 + ("undone" in request["Item"])
    return 3


def timeline(partition: Partition1000, units_per_second: float | None = None) -> DynamoDbTimeline:
    clock = partition.clock
    own = {} if units_per_second is None else {"units_per_second": units_per_second}
    pace = WritePace(monotonic=clock.now, sleep=clock.sleep, **own)
    client: Any = partition
    return DynamoDbTimeline(client, "state", "t", sleep=clock.sleep, pace=pace)


def pages() -> list[Page]:
    windows = (Window(START + n * DAY, START + (n + 1) * DAY) for n in range(PAGES))
    return [Page(window, 1, "timeline", f"{n}") for n, window in enumerate(windows)]


def plan_and_send(timeline: DynamoDbTimeline) -> None:
    """What a tick writes that plans as much as it may, and sends it; and then some sweeps."""
    planned = pages()
    for start in range(0, PAGES, 99):
        timeline.append(planned[start : start + 99], after=planned[start].window.start)
    timeline.mark_sent(planned, START)
    for start in range(0, 98 * 3, 98):
        done = [replace(page, state=PageState.DONE) for page in planned[start : start + 98]]
        timeline.commit(reserving(done, sweep_of(done, revision="s"), revision="r"))


def test_a_tick_stays_below_what_a_partition_takes() -> None:
    partition = Partition1000()
    plan_and_send(timeline(partition))
    assert partition.answers == {"accepted": 5 + PAGES + 3}
    assert partition.clock.now() < 12


def test_it_is_the_pace_that_does_it() -> None:
    partition = Partition1000()
    with suppress(TransientError):
        plan_and_send(timeline(partition, units_per_second=10**9))
    assert partition.answers["throttled"]


def test_a_transaction_that_meets_other_writers_waits_for_them() -> None:
    partition = Partition1000()
    others = timeline(partition, units_per_second=10**9)
    planned = pages()
    others.append(planned[:99], after=START)
    others.append(planned[99:198], after=planned[99].window.start)
    began = partition.clock.now()
    assert others.append(planned[198:297], after=planned[198].window.start)
    assert partition.answers["throttled"] >= 1
    assert timedelta(seconds=partition.clock.now() - began) < timedelta(seconds=5)
