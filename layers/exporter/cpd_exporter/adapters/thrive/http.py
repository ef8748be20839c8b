"""HTTP requests, bounded in time and size. HTTP failures become the exporter's errors."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

import httpx

from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.errors import (
    AccessError,
    ExporterError,
    MalformedResponseError,
    OversizedResponseError,
    PermanentError,
    ServerError,
    TransientError,
)

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A thousand entries take a few megabytes at most."""

MAX_RESPONSE_SECONDS = 60.0
"""The time from the request to the end of the body, however steadily the body drips."""


MAX_CONNECT_SECONDS = 5.0


def new_client(*, max_silence_seconds: float = 30.0) -> httpx.Client:
    """A client that reuses connections, follows no redirect and never waits long."""
    return httpx.Client(
        timeout=httpx.Timeout(max_silence_seconds, connect=MAX_CONNECT_SECONDS),
        follow_redirects=False,
        headers={"User-Agent": "cpd-exporter", "Accept-Encoding": "gzip"},
    )


@dataclass(frozen=True, slots=True)
class Response:
    """A response. ``request`` names the request in messages, without query and credentials."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> datetime | None:
        """The server's clock, if the server sent it."""
        return _http_date(self.headers.get("Date", ""))

    def retry_after(self, now: datetime) -> float | None:
        """Seconds to wait, if the server named a time. A date counts from the server's clock, which
        ``now`` replaces where the server sent none.
        """
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdecimal():
            return float(text)
        until = _http_date(text)
        if until is None:
            return None
        return max(0.0, (until - (self.date or now)).total_seconds())


# The first range that holds a status decides. The caller adds a remedy to 401 and 403.
_FAILURES: tuple[tuple[range, type[ExporterError], str], ...] = (
    (range(401, 402), AccessError, "the credentials are refused"),
    (range(403, 404), AccessError, "the credentials do not allow it"),
    (range(408, 409), TransientError, "it took too long"),
    (range(429, 430), TransientError, "too many requests"),
    (range(503, 504), TransientError, "the service is not well"),
    (range(500, 505), ServerError, "the service fails over it"),
    (range(505, 600), TransientError, "the service is not well"),
    (range(400, 500), PermanentError, "the request is refused"),
    (range(300, 400), MalformedResponseError, "redirects are not followed: is the API URL right?"),
)


def failure(response: Response, now: datetime) -> ExporterError:
    """The error that a status means. Only the status decides, never a text."""
    kind, meaning = next(
        ((kind, meaning) for statuses, kind, meaning in _FAILURES if response.status in statuses),
        (MalformedResponseError, "which is not documented"),
    )
    message = f"{response.request} answered {response.status}: {meaning}"
    retry_after = response.retry_after(now)
    if kind is ServerError and retry_after is not None:
        kind = TransientError  # it knows when it will be well
    if issubclass(kind, TransientError):
        return kind(message, retry_after=retry_after)
    return kind(message)


class Http:
    """Sends requests from any thread at its ``pace``, and counts them in ``calls``.

    Make ``client`` with ``new_client``.
    """

    def __init__(
        self,
        client: httpx.Client,
        *,
        pace: CallPace | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls = 0
        self.pace = pace or CallPace()
        self._client = client
        self._counting = Lock()
        self._monotonic = monotonic

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Response:
        """The response, whatever its status. Raises ``TransientError`` where none came."""
        name = f"{method} {url}"
        seconds = self.pace.take_turn()
        deadline = self._monotonic() + min(seconds, MAX_RESPONSE_SECONDS)
        with self._counting:
            self.calls += 1
        try:
            with self._client.stream(
                method,
                url,
                headers=headers,
                params=params,
                data=form,
                timeout=self._timeout(seconds),
            ) as response:
                body = self._body(name, response, deadline)
        except httpx.HTTPError as error:
            raise TransientError(
                f"no usable answer to {name} ({type(error).__name__}): an outage passes by itself; "
                "if none ever came, check the URL"
            ) from error
        return Response(name, response.status_code, response.headers, body)

    def _timeout(self, seconds: float) -> httpx.Timeout:
        """The client's own time-outs, or less where the call may not take so long."""
        own = self._client.timeout
        silence, connect = (
            seconds if limit is None else min(limit, seconds) for limit in (own.read, own.connect)
        )
        return own if seconds == math.inf else httpx.Timeout(silence, connect=connect)

    def _body(self, name: str, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise OversizedResponseError(f"{name} answered more than {MAX_BODY_BYTES} bytes")
            if self._monotonic() > deadline:
                raise TransientError(f"{name} was still answering when its time was over")
        return bytes(body)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
