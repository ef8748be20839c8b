"""The first line of ``status``: all is well, or what is wrong and what to type."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cpd_exporter.model.timestamps import age_seconds, parse_instant

MAX_QUIET_SECONDS = 180
"""How long no worker may write while messages wait: a busy one writes more often."""

MAX_SILENCE_SECONDS = 2100
"""How long no tick may end: a schedule of half an hour is no silence."""

MAX_RECALL_SECONDS = 86_400
"""How long the line recalls a job that was given up."""

MAX_NAMED = 3
"""Causes that the line names; ``status`` shows the rest."""


def summarise(status: Mapping[str, Any], now: datetime) -> str:
    """The state of one tenant, as ``read_status`` gives it, in one line."""
    causes = list(_causes(status, now))
    if causes:
        rest = f"; and {len(causes) - MAX_NAMED} more" if len(causes) > MAX_NAMED else ""
        return f"attention: {'; '.join(causes[:MAX_NAMED])}{rest}"
    if status["exportedThrough"] is None:
        return "nothing is exported yet: the next tick begins"
    reached = f"exported through {status['exportedThrough']}, {age(status['lagSeconds'])} ago"
    left = [
        _count(sum(status["pages"].values()), "page"),
        _count(sum(status["backfillPages"].values()), "page", "of a backfill"),
        _count(sum(status["sweeps"].values()), "sweep"),
        _count(len(status["jobs"]) + status["moreJobs"], "job"),
    ]
    if work := ", ".join(filter(None, left)):
        return f"at work: {reached}; left to do: {work}"
    return f"up to date: {reached}"


def age(seconds: float) -> str:
    """A time span in words, in the largest unit of which there are two."""
    for name, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {name}"
    return f"{seconds:.0f} s"


def _causes(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """All that an operator has to know, the most pressing first."""
    tick, queue, oldest = status["lastTick"], status["queue"], status["oldestPage"]
    if tick and tick["error"]:
        yield f"the last tick failed: {tick['error']}"
    elif tick and (silent := age_seconds(parse_instant(tick["at"]), now)) > MAX_SILENCE_SECONDS:
        yield (
            f"no tick has ended for {age(silent)}: is ScheduleState ENABLED? The planner's log "
            "says more"
        )
    if "error" in queue:
        yield queue["error"]
    elif oldest and _is_stopped(status, now):
        yield (
            f"no worker takes messages: {queue['waiting']} wait in the work queue, the oldest page "
            f"for {age(oldest['seconds'])}. Enable the worker's event source mapping: aws lambda "
            "update-event-source-mapping --enabled --uuid UUID, where UUID is what aws lambda "
            "list-event-source-mappings --function-name WORKER shows"
        )
    elif status["untouched"] and not queue["waiting"] and not queue["inFlight"]:
        yield (
            f"the work queue lost {_count(status['untouched'], 'message')}: was it purged, or see "
            "its dead-letter queue. The planner sends what is lost again, within minutes"
        )
    yield from _failures(status, now)
    yield from _warnings(status)


def _failures(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    for one in status["failing"][:1]:
        pieces = _count(sum(each["count"] for each in status["failing"]), "piece", "of work")
        which = "" if len(status["failing"]) == 1 else f", {one['count']} of them"
        yield f"{pieces} failed and will be tried again{which}: {one['error']}"
    if holes := status["holes"]:
        first = holes[0]
        number = len(holes) + status["moreHoles"]
        yield f"{_count(number, 'hole')}, one since {first['since']}: {first['error']}"
    for one in status["unread"][:1]:
        pages = _count(status["unreadPages"], "page")
        yield f"{pages} could not be swept in full, one since {one['since']}: {one['error']}"
    if status["deletionsHeld"]:
        yield (
            f"{_count(status['deletionsHeld'], 'deletion')} held since "
            f'{status["deletionsHeldSince"]}: if they are right, {{"command": "confirm-deletions"}}'
        )
    for one in status["endedJobs"]:
        if one["outcome"] == "given up" and _is_recent(one, now):
            yield one["error"]


def _warnings(status: Mapping[str, Any]) -> Iterator[str]:
    if status["quarantined"]:
        records = _count(status["quarantined"], "record")
        yield (
            f"{records} in quarantine, which cannot be understood: ask Thrive to mend what "
            "quarantinedRecords names, and then sweep"
        )
    if warning := status["filterWarning"]:
        yield f"the filter check is incomplete: {warning['message']}"
    if status["apiNotice"]:
        yield f"the API says of itself: {status['apiNotice']}"
    reconciliation = status["reconciliation"]
    if reconciliation and reconciliation["difference"]:
        yield (
            f"the API's total and the exported entries differ by {reconciliation['difference']}: "
            "the planner sweeps the months that differ"
        )


def _is_recent(ended: Mapping[str, Any], now: datetime) -> bool:
    return age_seconds(parse_instant(ended["endedAt"]), now) < MAX_RECALL_SECONDS


def _is_stopped(status: Mapping[str, Any], now: datetime) -> bool:
    """Whether messages wait, and nobody has worked for minutes."""
    if not status["queue"]["waiting"] or status["queue"]["inFlight"]:
        return False
    last = status["lastWorkAt"]
    idle = age_seconds(parse_instant(last), now) if last else MAX_QUIET_SECONDS
    return bool(min(idle, status["oldestPage"]["seconds"]) >= MAX_QUIET_SECONDS)


def _count(number: int, noun: str, rest: str = "") -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {rest}".rstrip() if number else ""
