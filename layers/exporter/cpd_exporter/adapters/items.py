"""The timeline's items as the table holds them: text, numbers and maps, nothing that is empty."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cpd_exporter.adapters.partition import Item
from cpd_exporter.model.instants import parse_instant
from cpd_exporter.model.timeline import (
    Ask,
    DeletionQuota,
    Errand,
    Kind,
    Missing,
    Page,
    Refusal,
    Request,
    State,
    Tick,
    Watermark,
)
from cpd_exporter.model.windows import Window

WATERMARK = "WATERMARK"


def text(instant: datetime) -> str:
    """RFC 3339 with every digit; instants on whole seconds sort as text."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def text_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else text(instant)


def page_key(start: datetime, kind: Kind = Kind.PAGE) -> str:
    return f"{kind.upper()}#{text(start)}"


def key_of(page: Page) -> str:
    return page_key(page.window.start, page.kind)


def ask_key(at: datetime, entry_id: str | None = None) -> str:
    """Without an ID: what sorts just before all wishes for that instant and all later ones."""
    # Entries have instants with fractions, which sort as text only if all have as many digits.
    prefix = f"ASK#{at.astimezone(UTC).isoformat(timespec='microseconds')}"
    return prefix if entry_id is None else f"{prefix}#{_digest(entry_id)}"


def request_key(name: str) -> str:
    return f"REQUEST#{name}"


def deletions_key(day: str) -> str:
    return f"DELETIONS#{day}"


def refusal_key(refusal: Refusal) -> str:
    return f"REFUSED#{text(refusal.window.start)}#{_digest(refusal.entry_id)}"


def from_watermark(watermark: Watermark) -> Item:
    tick = watermark.last_tick
    return _present(
        {
            "epoch": watermark.epoch,
            "origin": text(watermark.origin),
            "plannedThrough": text(watermark.planned_through),
            "exportedFrom": text(watermark.exported_from),
            "exportedThrough": text(watermark.exported_through),
            "provenAt": text_or_none(watermark.proven_at),
            "lastTick": from_tick(tick) if tick else None,
        }
    )


def to_watermark(item: Item) -> Watermark:
    tick = item.get("lastTick")
    return Watermark(
        epoch=item["epoch"],
        origin=parse_instant(item["origin"]),
        planned_through=parse_instant(item["plannedThrough"]),
        exported_from=parse_instant(item["exportedFrom"]),
        exported_through=parse_instant(item["exportedThrough"]),
        proven_at=_instant_or_none(item.get("provenAt")),
        last_tick=Tick(parse_instant(tick["at"]), tick.get("error")) if tick else None,
    )


def from_tick(tick: Tick) -> Item:
    return _present({"at": text(tick.at), "error": tick.error})


def from_page(page: Page) -> Item:
    is_undone = page.kind is Kind.PAGE and page.state is not State.DONE
    return _present(
        {
            "start": text(page.window.start),
            "end": text(page.window.end),
            "generation": page.generation,
            "epoch": page.epoch,
            "revision": page.revision,
            "state": page.state.value,
            "object": page.object,
            "entries": page.entries,
            "quarantined": page.quarantined,
            "attempts": page.attempts,
            "error": page.error,
            "holeSince": text_or_none(page.hole_since),
            "sentAt": text_or_none(page.sent_at),
            "leaseUntil": text_or_none(page.lease_until),
            "updatedAt": text_or_none(page.updated_at),
            "known": page.known,
            "reservedBy": page.reserved_by,
            "toldAt": text_or_none(page.told_at),
            "missing": _from_missing(page.missing) or None,
            "held": page.held or None,
            "confirmedAt": text_or_none(page.confirmed_at),
            "undone": text(page.window.start) if is_undone else None,
        }
    )


def to_page(item: Item) -> Page:
    return Page(
        kind=Kind(item["sk"].partition("#")[0].lower()),
        window=_window(item),
        generation=int(item["generation"]),
        epoch=item["epoch"],
        revision=item["revision"],
        state=State(item["state"]),
        object=item.get("object"),
        entries=int(item["entries"]),
        quarantined=int(item["quarantined"]),
        attempts=int(item["attempts"]),
        error=item.get("error"),
        hole_since=_instant_or_none(item.get("holeSince")),
        sent_at=_instant_or_none(item.get("sentAt")),
        lease_until=_instant_or_none(item.get("leaseUntil")),
        updated_at=_instant_or_none(item.get("updatedAt")),
        known=item.get("known"),
        reserved_by=item.get("reservedBy"),
        told_at=_instant_or_none(item.get("toldAt")),
        missing=_to_missing(item.get("missing", {})),
        held=int(item.get("held", 0)),
        confirmed_at=_instant_or_none(item.get("confirmedAt")),
    )


def from_ask(ask: Ask) -> Item:
    return _present(
        {
            "at": text(ask.at),
            "askedAt": text(ask.asked_at),
            "entryId": ask.entry_id,
            "toldAfter": text_or_none(ask.told_after),
        }
    )


def to_ask(item: Item) -> Ask:
    return Ask(
        at=parse_instant(item["at"]),
        asked_at=parse_instant(item["askedAt"]),
        entry_id=item["entryId"],
        told_after=_instant_or_none(item.get("toldAfter")),
    )


def from_request(request: Request) -> Item:
    return _present(
        {
            "name": request.name,
            "errand": request.errand.value,
            "start": text(request.start),
            "end": text(request.end),
            "cursor": text(request.cursor),
            "askedAt": text(request.asked_at),
            "revision": request.revision,
            "queueArn": request.queue_arn,
            "sentAt": text_or_none(request.sent_at),
            "leaseUntil": text_or_none(request.lease_until),
            "attempts": request.attempts,
            "error": request.error,
        }
    )


def to_request(item: Item) -> Request:
    return Request(
        name=item["name"],
        errand=Errand(item["errand"]),
        start=parse_instant(item["start"]),
        end=parse_instant(item["end"]),
        cursor=parse_instant(item["cursor"]),
        asked_at=parse_instant(item["askedAt"]),
        revision=item["revision"],
        queue_arn=item.get("queueArn"),
        sent_at=_instant_or_none(item.get("sentAt")),
        lease_until=_instant_or_none(item.get("leaseUntil")),
        attempts=int(item["attempts"]),
        error=item.get("error"),
    )


def from_deletion_quota(quota: DeletionQuota) -> Item:
    return {"day": quota.day, "told": dict(quota.told), "revision": quota.revision}


def to_deletion_quota(item: Item) -> DeletionQuota:
    told = {name: int(deletions) for name, deletions in item["told"].items()}
    return DeletionQuota(item["day"], told, item["revision"])


def from_refusal(refusal: Refusal) -> Item:
    return {
        "start": text(refusal.window.start),
        "end": text(refusal.window.end),
        "entryId": refusal.entry_id,
        "error": refusal.error,
        "since": text(refusal.since),
    }


def to_refusal(item: Item) -> Refusal:
    return Refusal(_window(item), item["entryId"], item["error"], parse_instant(item["since"]))


def _from_missing(missing: Mapping[str, Missing]) -> dict[str, dict[str, str | None]]:
    """By when they were found missing, then by ID: an outage lets a whole page go missing at once,
    and an item holds no more than 400 KB.
    """
    by_since: dict[str, dict[str, str | None]] = {}
    for entry_id, gone in missing.items():
        by_since.setdefault(text(gone.since), {})[entry_id] = text_or_none(gone.moved_to)
    return by_since


def _to_missing(by_since: Mapping[str, Mapping[str, str | None]]) -> dict[str, Missing]:
    return {
        entry_id: Missing(parse_instant(since), _instant_or_none(moved_to))
        for since, moved in by_since.items()
        for entry_id, moved_to in moved.items()
    }


def _window(item: Item) -> Window:
    return Window(parse_instant(item["start"]), parse_instant(item["end"]))


def _digest(entry_id: str) -> str:
    # A key holds 1024 bytes, and only the characters of an ID are bounded.
    return hashlib.sha256(entry_id.encode()).hexdigest()


def _instant_or_none(stored: str | None) -> datetime | None:
    return None if stored is None else parse_instant(stored)


def _present(attributes: dict[str, Any]) -> Item:
    return {name: value for name, value in attributes.items() if value is not None}
