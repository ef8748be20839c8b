"""The timeline in one DynamoDB table.

| pk                | sk                                  | holds                                  |
|-------------------|-------------------------------------|----------------------------------------|
| TENANT#<tenantId> | WATERMARK                           | the watermark and the last tick        |
| TENANT#<tenantId> | PAGE#<start>                        | a page; in ``undone`` until it is done |
| TENANT#<tenantId> | SWEEP#<start>                       | a sweep, until it is merged            |
| TENANT#<tenantId> | SWEEPREQUEST#<instant>#<hash of ID> | a sweep request                        |
| TENANT#<tenantId> | JOB#<name>                          | a job, until it is done                |
| TENANT#<tenantId> | ENDED#<name>                        | what is left of an ended job           |
| TENANT#<tenantId> | BREAKER                             | the guard against mass deletion        |
| TENANT#<tenantId> | GARBAGE#<instant>#<name>            | index objects that may have no page    |
| TENANT#<tenantId> | REFUSED#<start>#<hash of row>       | an event that the topic refused        |

The local index ``undone`` is sparse, and holds the flagged pages too. Only a local index can be
read consistently.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cpd_exporter.adapters.aws.client import in_parallel
from cpd_exporter.adapters.aws.codec import text_of
from cpd_exporter.adapters.aws.dynamodb import (
    ABSENT,
    LAST_SORT_KEY,
    MAX_TRANSACTION_ITEMS,
    PRESENT,
    ItemWrite,
    Partition,
    equal,
)
from cpd_exporter.adapters.aws.timeline_items import (
    BREAKER,
    BREAKER_KEY,
    INDEX_GARBAGE,
    PAGE,
    REFUSAL,
    SWEEP_REQUEST,
    WATERMARK,
    WATERMARK_KEY,
    flag_key,
    garbage_key,
    key_of,
    page_key,
    refusal_key,
    sweep_request_bound,
    sweep_request_key,
)
from cpd_exporter.adapters.aws.timeline_jobs import JobItems
from cpd_exporter.adapters.aws.write_pace import WritePace
from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import (
    MAX_PAGES_PER_TRANSACTION,
    ConditionalWrite,
    Page,
    PageFlag,
    WorkKind,
)
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_MAX_PAGE_LOOKUPS = 3


class DynamoDbTimeline(JobItems):
    """One tenant's partition of the table. Make ``client`` with ``CLIENT_CONFIG``."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        tenant_id: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        pace: WritePace | None = None,
    ) -> None:
        self.tenant_id = tenant_id
        super().__init__(Partition(client, table, f"TENANT#{tenant_id}", sleep=sleep, pace=pace))

    def watermark(self) -> Watermark | None:
        item = self._items.get(WATERMARK_KEY)
        return None if item is None else WATERMARK.decode(item)

    def begin(self, watermark: Watermark) -> Watermark:
        self._put_if_none(WATERMARK_KEY, WATERMARK.encode(watermark))
        stored = self.watermark()
        if stored is None:
            raise TransientError("the watermark is not there, though it was written")
        return stored

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        end = text_of(pages[-1].window.end)
        condition = equal(plannedThrough=text_of(after))
        move = self._items.update(WATERMARK_KEY, {"plannedThrough": end}, condition)
        return self._add(pages, move)

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        start = text_of(pages[0].window.start)
        condition = equal(origin=text_of(before))
        move = self._items.update(WATERMARK_KEY, {"origin": start}, condition)
        return self._add(pages, move)

    def update_watermark(self, before: Watermark, after: Watermark) -> bool:
        was, becomes = WATERMARK.encode(before), WATERMARK.encode(after)
        changes = {name: value for name, value in becomes.items() if was.get(name) != value}
        removals = [name for name in was if name not in becomes]
        # The ID demands that there is a watermark: without one, absent members would all be equal.
        unchanged = equal(
            timelineId=before.timeline_id, **{name: was.get(name) for name in (*changes, *removals)}
        )
        write = self._items.update(WATERMARK_KEY, changes, unchanged, removals=removals)
        if not (changes or removals) or self._items.do(write):
            return True
        stored = self._items.get(WATERMARK_KEY) or {}
        return all(stored.get(name) == becomes.get(name) for name in (*changes, *removals))

    def page(self, start: datetime, kind: WorkKind = WorkKind.PAGE) -> Page | None:
        item = self._items.get(page_key(start, kind))
        return None if item is None else PAGE.decode(item)

    def page_at(self, instant: datetime) -> Page | None:
        for _ in range(_MAX_PAGE_LOOKUPS):
            page = next(self._pages_down_from(floor_second(instant), page_size=1), None)
            if page is None or instant in page.window:
                return page
            # A query may see half of a merge: the later pages are gone, the first is as it was.
        watermark = self.watermark()
        if watermark is not None and watermark.origin <= instant < watermark.planned_through:
            raise TransientError(f"the page at {instant} is just being merged", retry_after=1)
        return None

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        if end is not None and end <= start:
            return iter(())  # DynamoDB refuses a range whose last key sorts before its first
        last = f"PAGE#{LAST_SORT_KEY}" if end is None else page_key(end - SECOND)
        return map(PAGE.decode, self._items.query(page_key(start), last))

    def pages_before(self, end: datetime) -> Iterator[Page]:
        return self._pages_down_from(floor_second(end - datetime.resolution))

    def undone(self, window: Window | None = None) -> Iterator[Page]:
        first, last = "0", f"9{LAST_SORT_KEY}"
        if window is not None:
            first, last = text_of(window.start), text_of(window.end - SECOND)
        return map(PAGE.decode, self._items.query(first, last, index="undone"))

    def flagged(self, flag: PageFlag) -> Iterator[Page]:
        first, last = flag_key(flag, ""), flag_key(flag, LAST_SORT_KEY)
        found = self._items.query(first, last, index="undone")
        return map(PAGE.decode, found)

    def sweeps(self) -> Iterator[Page]:
        return map(PAGE.decode, self._items.query("SWEEP#", f"SWEEP#{LAST_SORT_KEY}"))

    def update(self, page: Page, changed: Page) -> bool:
        before, after = PAGE.encode(page), PAGE.encode(changed)
        return self._replace(key_of(page), before, after) or self._find_own_write(changed)

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        items = len(writes) + (breaker is not None)
        if not 1 <= items <= MAX_TRANSACTION_ITEMS:
            raise ValueError(f"from 1 to {MAX_TRANSACTION_ITEMS} writes at a time, not {items}")
        first = writes[0].after
        if first is None:
            raise ValueError("the first write must leave an item")
        item_writes = [self._item_write(write) for write in writes]
        if breaker is not None:
            item_writes.append(self._breaker_write(breaker))
        return self._items.do_all(item_writes) or self._find_own_write(first)

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        def mark(page: Page) -> None:
            condition = equal(generation=page.generation)
            self._items.do(self._items.update(key_of(page), {"sentAt": text_of(at)}, condition))

        in_parallel(mark, pages)

    def request_sweep(self, request: SweepRequest) -> None:
        key = sweep_request_key(request.at)
        self._items.do(self._items.put(key, SWEEP_REQUEST.encode(request)))

    def sweep_requests(self, window: Window | None = None) -> Iterator[SweepRequest]:
        if window is None:
            first, last = "SWEEPREQUEST#", f"SWEEPREQUEST#{LAST_SORT_KEY}"
        else:
            first, last = sweep_request_bound(window.start), sweep_request_bound(window.end)
        return map(SWEEP_REQUEST.decode, self._items.query(first, last))

    def drop_sweep_request(self, request: SweepRequest) -> None:
        key = sweep_request_key(request.at)
        unrenewed = equal(requestedAt=SWEEP_REQUEST.encode(request)["requestedAt"])
        self._items.do(self._items.delete(key, unrenewed))

    def breaker(self) -> Breaker | None:
        item = self._items.get(BREAKER_KEY)
        return None if item is None else BREAKER.decode(item)

    def update_breaker(self, change: BreakerChange) -> bool:
        written = self._items.do(self._breaker_write(change))
        return written or self._find_revision(BREAKER_KEY, change.after.revision)

    def note_garbage(self, garbage: IndexGarbage) -> None:
        key = garbage_key(garbage.noted_at, garbage.name)
        self._items.do(self._items.put(key, INDEX_GARBAGE.encode(garbage)))

    def garbage(self, until: datetime) -> Iterator[IndexGarbage]:
        return map(INDEX_GARBAGE.decode, self._items.query("GARBAGE#", garbage_key(until)))

    def drop_garbage(self, garbage: IndexGarbage) -> None:
        self._items.do(self._items.delete(garbage_key(garbage.noted_at, garbage.name), PRESENT))

    def record_refusal(self, refusal: Refusal) -> None:
        self._put_if_none(refusal_key(refusal), REFUSAL.encode(refusal))

    def refusals(self) -> Iterator[Refusal]:
        return map(REFUSAL.decode, self._items.query("REFUSED#", f"REFUSED#{LAST_SORT_KEY}"))

    def update_refusal(self, refusal: Refusal, changed: Refusal | None) -> None:
        key = refusal_key(refusal)
        if changed is None:
            self._items.do(self._items.delete(key, PRESENT))
        else:
            self._items.do(self._items.put(key, REFUSAL.encode(changed), PRESENT))

    def _pages_down_from(self, latest: datetime, *, page_size: int | None = None) -> Iterator[Page]:
        found = self._items.query("PAGE#", page_key(latest), descending=True, page_size=page_size)
        return map(PAGE.decode, found)

    def _find_own_write(self, page: Page) -> bool:
        """Look whether the last write of the page is this one, whose answer was lost."""
        return self._find_revision(key_of(page), page.revision)

    def _add(self, pages: Sequence[Page], move: ItemWrite) -> bool:
        """Add pages and move an end of the planned time, all or nothing."""
        if not 1 <= len(pages) <= MAX_PAGES_PER_TRANSACTION:
            raise ValueError(
                f"from 1 to {MAX_PAGES_PER_TRANSACTION} pages at a time, not {len(pages)}"
            )
        puts = [self._items.put(key_of(page), PAGE.encode(page), ABSENT) for page in pages]
        return self._items.do_all([move, *puts]) or self._find_own_write(pages[0])

    def _breaker_write(self, change: BreakerChange) -> ItemWrite:
        condition = equal(revision=change.before.revision) if change.before else ABSENT
        return self._items.put(BREAKER_KEY, BREAKER.encode(change.after), condition)

    def _item_write(self, write: ConditionalWrite) -> ItemWrite:
        condition = equal(revision=write.before.revision) if write.before else ABSENT
        if write.after is not None:
            return self._items.put(key_of(write.after), PAGE.encode(write.after), condition)
        if write.before is not None:
            return self._items.delete(key_of(write.before), condition)
        raise ValueError("a conditional write needs an item before it or after it")
