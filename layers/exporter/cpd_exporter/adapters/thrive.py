"""The API that is exported: Thrive's CPD log entries, over HTTP."""

import time
from collections.abc import Callable, Container, Sequence
from urllib.parse import quote

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from cpd_exporter.adapters.access import Access
from cpd_exporter.adapters.aws import in_parallel
from cpd_exporter.adapters.environments import Endpoints
from cpd_exporter.adapters.http import Http, Response, failure
from cpd_exporter.errors import AccessError, MalformedResponseError, TransientError
from cpd_exporter.model import json_text
from cpd_exporter.model.entries import Entry, FaultyEntry, Listing, read_entry, read_listing
from cpd_exporter.model.summaries import Summaries, read_summaries
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Clock

LONGEST_WAIT = 10.0
"""Seconds. Whoever is asked to wait longer gives way to the queue, which waits for nothing."""

LOOKUPS_AT_ONCE = 8
"""Single entries that are asked for at the same time."""

_backing_off = wait_random_exponential(multiplier=0.5, max=5)


class ThriveApi:
    """The entries of one tenant.

    Outages are tried again a few times and for half a minute at the most, so that a function has
    time left to say so; the queue and the next tick go on from there. ``volatile`` members are left
    out of an entry's fingerprint.
    """

    def __init__(
        self,
        http: Http,
        endpoints: Endpoints,
        access: Access,
        *,
        clock: Clock,
        volatile: frozenset[str] = frozenset(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._volatile = volatile
        self._http = http
        self._endpoints = endpoints
        self._access = access
        self._clock = clock
        self._retrying = Retrying(
            retry=retry_if_exception(_passes_soon),
            stop=stop_after_attempt(4) | stop_after_delay(30),
            wait=_wait,
            sleep=sleep,
            reraise=True,
        )

    @property
    def calls(self) -> int:
        """How many requests were sent, those for tokens too."""
        return self._http.calls

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        params = {"page": str(page), "perPage": str(per_page)}
        if window is not None:
            params["entryDateFrom"] = f"{window.start:%Y-%m-%d %H:%M:%S}"
            params["entryDateTo"] = f"{window.end:%Y-%m-%d %H:%M:%S}"
        response = self._get(self._endpoints.entries, params)
        return read_listing(response.body, response.date, self._volatile)

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        url = f"{self._endpoints.entries}/{quote(entry_id, safe='')}"
        response = self._get(url, {}, accepted=(200, 404))
        if response.status == 404:
            return None
        text = response.body.decode("utf-8", "surrogateescape").removeprefix("\N{BYTE ORDER MARK}")
        try:
            content = json_text.load(text)
        except ValueError as error:
            raise MalformedResponseError(f"the API's entry is not JSON: {error}") from None
        return read_entry(content, text, self._volatile)

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        distinct = list(dict.fromkeys(entry_ids))
        found = in_parallel(self.entry, distinct, threads=LOOKUPS_AT_ONCE)
        return dict(zip(distinct, found, strict=True))

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        params = {
            "page": str(page),
            "perPage": str(per_page),
            "entryDateFrom": f"{window.start:%Y-%m-%dT%H:%M:%S}",
            "entryDateTo": f"{window.end:%Y-%m-%dT%H:%M:%S}",
        }
        return read_summaries(self._get(self._endpoints.summaries, params).body)

    def _get(
        self, url: str, params: dict[str, str], *, accepted: Container[int] = (200,)
    ) -> Response:
        """The response, if its status is accepted; all others raise."""
        return self._retrying(self._get_once, url, params, accepted)

    def _get_once(self, url: str, params: dict[str, str], accepted: Container[int]) -> Response:
        authorization = self._access.authorization()
        response = self._send(url, params, authorization)
        if response.status == 401:
            # The secret may have been rotated, or the token revoked.
            renewed = self._access.renewed(authorization)
            if renewed != authorization:
                response = self._send(url, params, renewed)
        if response.status in accepted:
            return response
        error = failure(response, self._clock())
        if isinstance(error, AccessError):
            remedy = self._access.remedy if response.status == 401 else self._access.grant
            raise AccessError(f"{error}: {remedy}", retry_after=error.retry_after)
        raise error

    def _send(self, url: str, params: dict[str, str], authorization: str) -> Response:
        headers = {"Authorization": authorization, "Accept": "application/json"}
        return self._http.request("GET", url, headers=headers, params=params)


def _passes_soon(error: BaseException) -> bool:
    return (
        isinstance(error, TransientError)
        and not isinstance(error, AccessError)
        and (error.retry_after is None or error.retry_after <= LONGEST_WAIT)
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    named = error.retry_after if isinstance(error, TransientError) else None
    return _backing_off(state) if named is None else named
