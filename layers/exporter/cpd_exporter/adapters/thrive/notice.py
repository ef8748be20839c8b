"""What a response says of the API's own end, by RFC 9745 and RFC 8594."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cpd_exporter.adapters.thrive.http import Response
from cpd_exporter.model.timestamps import format_instant

WITHDRAWN = (404, 410)
"""Statuses of a listing that is not there any more."""

_REMEDY = "ask Thrive which version follows, and update the exporter"
_MAX_CHARACTERS = 60


def notice_of(response: Response) -> str | None:
    """A line for the operator, if the response is gone or names its end; otherwise ``None``."""
    if response.status in WITHDRAWN:
        return (
            f"{response.request} answered {response.status}: this version of the API is withdrawn, "
            f"or the API URL is wrong. If it is withdrawn, {_REMEDY}"
        )
    deprecated = _instant(response.headers.get("Deprecation", ""))
    sunset = _instant(response.headers.get("Sunset", ""))
    if not deprecated and not sunset:
        return None
    said = [f"deprecated ({deprecated})"] if deprecated else []
    said += [f"to end at {sunset}"] if sunset else []
    return f"{response.request} is {' and '.join(said)}: {_REMEDY}"


def _instant(header: str) -> str:
    """The instant that a header names; a value in no known form as it is, but short."""
    text = header.strip()
    try:
        if text.startswith("@"):
            return format_instant(datetime.fromtimestamp(int(text[1:]), UTC))
        return format_instant(parsedate_to_datetime(text).astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        return "".join(filter(str.isprintable, text))[:_MAX_CHARACTERS]
