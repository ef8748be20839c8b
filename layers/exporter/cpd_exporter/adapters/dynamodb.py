"""The timeline in one DynamoDB table.

| pk                | sk                            | holds                                  |
|-------------------|-------------------------------|----------------------------------------|
| TENANT#<tenantId> | WATERMARK                     | the watermark and the last tick        |
| TENANT#<tenantId> | PAGE#<start>                  | a page; ``undone`` only while it is so |
| TENANT#<tenantId> | SWEEP#<start>                 | a sweep, until it is merged            |
| TENANT#<tenantId> | ASK#<instant>#<hash of ID>    | a wish for a sweep                     |
| TENANT#<tenantId> | REQUEST#<name>                | an operator's request, until it is met |
| TENANT#<tenantId> | DELETIONS#<day>               | how many deletions a day told          |
| TENANT#<tenantId> | REFUSED#<start>#<hash of ID>  | an event that the topic refused        |

The local index ``undone`` is sparse, and local because only then can it be read consistently.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cpd_exporter.adapters import items
from cpd_exporter.adapters.aws import in_parallel
from cpd_exporter.adapters.items import WATERMARK, key_of, page_key, text
from cpd_exporter.adapters.partition import (
    ABSENT,
    LARGEST,
    MOST_WRITES,
    PRESENT,
    Item,
    Partition,
    equal,
)
from cpd_exporter.adapters.partition import Write as ItemWrite
from cpd_exporter.errors import TransientError
from cpd_exporter.model.instants import floor_second
from cpd_exporter.model.timeline import (
    Ask,
    DeletionQuota,
    Kind,
    Page,
    Refusal,
    Request,
    Tick,
    Watermark,
    Write,
)
from cpd_exporter.model.windows import Window

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MOST_PAGES = MOST_WRITES - 1
"""What one transaction holds beside the watermark."""

_LOOKS = 3


class DynamoDbTimeline:
    """One tenant's part of the table. ``client`` is made with ``aws.CLIENT_CONFIG``."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        tenant_id: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tenant_id = tenant_id
        self._items = Partition(client, table, f"TENANT#{tenant_id}", sleep=sleep)

    def watermark(self) -> Watermark | None:
        item = self._items.get(WATERMARK)
        return None if item is None else items.to_watermark(item)

    def begin(self, watermark: Watermark) -> Watermark:
        self._put_if_none(WATERMARK, items.from_watermark(watermark))
        standing = self.watermark()
        if standing is None:
            raise TransientError("the watermark is not there, though it was written")
        return standing

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        end = text(pages[-1].window.end)
        condition = equal(plannedThrough=text(after))
        return self._add(pages, self._items.update(WATERMARK, {"plannedThrough": end}, condition))

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        start = text(pages[0].window.start)
        condition = equal(origin=text(before))
        return self._add(pages, self._items.update(WATERMARK, {"origin": start}, condition))

    def advance(self, *, before: datetime, through: datetime) -> bool:
        if self._note({"exportedThrough": text(through)}, exportedThrough=text(before)):
            return True
        standing = self.watermark()
        return standing is not None and standing.exported_through == through

    def retreat(self, *, before: datetime, through: datetime) -> bool:
        if self._note({"exportedFrom": text(through)}, exportedFrom=text(before)):
            return True
        standing = self.watermark()
        return standing is not None and standing.exported_from == through

    def prove(self, at: datetime) -> None:
        self._note({"provenAt": text(at)})

    def note_tick(self, tick: Tick) -> None:
        self._note({"lastTick": items.from_tick(tick)})

    def page(self, start: datetime, kind: Kind = Kind.PAGE) -> Page | None:
        item = self._items.get(page_key(start, kind))
        return None if item is None else items.to_page(item)

    def page_at(self, instant: datetime) -> Page | None:
        for _ in range(_LOOKS):
            page = next(self._pages_down_from(floor_second(instant), at_once=1), None)
            if page is None or instant in page.window:
                return page
            # A query may see a merge half done: the later pages gone, and the first one as it was.
        watermark = self.watermark()
        if watermark is not None and watermark.origin <= instant < watermark.planned_through:
            raise TransientError(f"the page at {instant} is just being merged", retry_after=1)
        return None

    def pages(self, start: datetime) -> Iterator[Page]:
        return map(items.to_page, self._items.query(page_key(start), f"PAGE#{LARGEST}"))

    def pages_before(self, end: datetime) -> Iterator[Page]:
        return self._pages_down_from(floor_second(end - datetime.resolution))

    def undone(self) -> Iterator[Page]:
        return map(items.to_page, self._items.query("0", LARGEST, index="undone"))

    def sweeps(self) -> Iterator[Page]:
        return map(items.to_page, self._items.query("SWEEP#", f"SWEEP#{LARGEST}"))

    def update(self, page: Page, changed: Page) -> bool:
        before, after = items.from_page(page), items.from_page(changed)
        return self._replace(key_of(page), before, after) or self._holds(changed)

    def commit(self, writes: Sequence[Write]) -> bool:
        if not 1 <= len(writes) <= MOST_WRITES:
            raise ValueError(f"from 1 to {MOST_WRITES} writes at a time, not {len(writes)}")
        first = writes[0].after
        if first is None:
            raise ValueError("the first write must leave an item")
        return self._items.do_all([self._of(write) for write in writes]) or self._holds(first)

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        def mark(page: Page) -> None:
            condition = equal(generation=page.generation)
            self._items.do(self._items.update(key_of(page), {"sentAt": text(at)}, condition))

        in_parallel(mark, pages)

    def ask(self, ask: Ask) -> None:
        key = items.ask_key(ask.at, ask.entry_id)
        self._items.do(self._items.put(key, items.from_ask(ask)))

    def asks(self, window: Window | None = None) -> Iterator[Ask]:
        if window is None:
            return map(items.to_ask, self._items.query("ASK#", f"ASK#{LARGEST}"))
        bounds = items.ask_key(window.start), items.ask_key(window.end)
        return map(items.to_ask, self._items.query(*bounds))

    def forget(self, ask: Ask) -> None:
        unrenewed = equal(askedAt=text(ask.asked_at), toldAfter=items.text_or_none(ask.told_after))
        self._items.do(self._items.delete(items.ask_key(ask.at, ask.entry_id), unrenewed))

    def request(self, request: Request) -> None:
        self._put_if_none(items.request_key(request.name), items.from_request(request))

    def requests(self) -> Iterator[Request]:
        return map(items.to_request, self._items.query("REQUEST#", f"REQUEST#{LARGEST}"))

    def continue_request(self, request: Request, continued: Request | None) -> bool:
        key = items.request_key(request.name)
        if continued is None:
            return self._items.do(self._items.delete(key, equal(revision=request.revision)))
        before, after = items.from_request(request), items.from_request(continued)
        return self._replace(key, before, after) or self._has(key, continued.revision)

    def mark_request_sent(self, request: Request, at: datetime) -> None:
        key = items.request_key(request.name)
        self._items.do(self._items.update(key, {"sentAt": text(at)}, PRESENT))

    def deletion_quota(self, day: str) -> DeletionQuota | None:
        item = self._items.get(items.deletions_key(day))
        return None if item is None else items.to_deletion_quota(item)

    def update_deletion_quota(self, quota: DeletionQuota | None, changed: DeletionQuota) -> bool:
        key = items.deletions_key(changed.day)
        condition = equal(revision=quota.revision) if quota else ABSENT
        written = self._items.do(
            self._items.put(key, items.from_deletion_quota(changed), condition)
        )
        return written or self._has(key, changed.revision)

    def record_refusal(self, refusal: Refusal) -> None:
        self._put_if_none(items.refusal_key(refusal), items.from_refusal(refusal))

    def refusals(self) -> Iterator[Refusal]:
        return map(items.to_refusal, self._items.query("REFUSED#", f"REFUSED#{LARGEST}"))

    def _pages_down_from(self, latest: datetime, *, at_once: int | None = None) -> Iterator[Page]:
        found = self._items.query("PAGE#", page_key(latest), descending=True, at_once=at_once)
        return map(items.to_page, found)

    def _holds(self, page: Page) -> bool:
        """Whether this very write of the page is the last one: only its answer was lost."""
        return self._has(key_of(page), page.revision)

    def _has(self, key: str, revision: str) -> bool:
        stored = self._items.get(key)
        return stored is not None and stored["revision"] == revision

    def _put_if_none(self, key: str, attributes: Item) -> None:
        self._items.do(self._items.put(key, attributes, ABSENT))

    def _note(self, settings: Item, **condition: str) -> bool:
        """Change the watermark, if there is one."""
        demanded = equal(**condition) if condition else PRESENT
        return self._items.do(self._items.update(WATERMARK, settings, demanded))

    def _add(self, pages: Sequence[Page], move: ItemWrite) -> bool:
        """Add pages and move an end of what is planned, all or nothing."""
        if not 1 <= len(pages) <= MOST_PAGES:
            raise ValueError(f"from 1 to {MOST_PAGES} pages at a time, not {len(pages)}")
        puts = [self._items.put(key_of(page), items.from_page(page), ABSENT) for page in pages]
        return self._items.do_all([move, *puts]) or self._holds(pages[0])

    def _replace(self, key: str, before: Item, after: Item) -> bool:
        """Write what changed, if the revision is still that of ``before``."""
        settings = {name: value for name, value in after.items() if before.get(name) != value}
        removals = [name for name in before if name not in after and name != "sentAt"]
        # The planner marks work as sent while workers write it: that mark is left as it stands.
        settings.pop("sentAt", None)
        condition = equal(revision=before["revision"])
        return self._items.do(self._items.update(key, settings, condition, removals=removals))

    def _of(self, write: Write) -> ItemWrite:
        condition = equal(revision=write.before.revision) if write.before else ABSENT
        if write.after is not None:
            return self._items.put(key_of(write.after), items.from_page(write.after), condition)
        if write.before is not None:
            return self._items.delete(key_of(write.before), condition)
        raise ValueError("a write is of an item that was there, or is to be")
