"""The effect of an injected fault on an answer (pure)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from simulator.behaviour import InjectedFault
from simulator.calls import ApiAnswer
from simulator.offset_pages import EntriesPage
from simulator.refusal import HTML_PAGE, Refused

_MESSAGES = {
    401: "Unauthorized",
    403: "The access token lacks the scope api/read",
    429: "Too many requests: wait and retry using a backoff strategy",
    500: "Something went wrong: retry later",
}


def refusal_of(fault: InjectedFault, now: datetime) -> Refused:
    """Return the refusal of a `status` fault."""
    return Refused(
        fault.status,
        _MESSAGES.get(fault.status, "Simulated fault"),
        headers=_headers(fault, now),
        html=fault.html,
    )


def _headers(fault: InjectedFault, now: datetime) -> dict[str, str]:
    headers = {}
    if fault.retry_after is not None:
        until = now.astimezone(UTC) + timedelta(seconds=fault.retry_after)
        as_date = fault.retry_after_as_date
        date = format_datetime(until, usegmt=True)
        headers["Retry-After"] = date if as_date else str(fault.retry_after)
    if fault.location is not None:
        headers["Location"] = fault.location
    return headers


def repeat_entry(listing: EntriesPage, *, edited: bool) -> EntriesPage:
    """Repeat one entry; on a full page, the last entry makes room."""
    once = next((entry for entry in listing.entries if entry.is_object), None)
    if once is None:
        return listing
    again = once.edited(description="Edited in mid-answer") if edited else once
    return replace(listing, entries=(again, *listing.entries)[: listing.per_page])


def spoil(answer: ApiAnswer, due: Sequence[InjectedFault]) -> ApiAnswer:
    """Replace, shorten or cut off the answer, as the faults say."""
    for fault in due:
        match fault.kind:
            case "html":
                page = HTML_PAGE.format("We will be back soon").encode()
                headers = dict(answer.headers) | {"Content-Type": "text/html"}
                answer = replace(answer, headers=headers, content=page)
            case "raw":
                answer = replace(answer, content=fault.body.encode())
            case "truncated":
                answer = replace(answer, content=answer.content[: len(answer.content) // 2])
            case "cut-off":
                answer = replace(answer, cut_off=True)
    return answer
