"""The client of the Thrive API: CPD log entries and their sums, over HTTP."""

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from urllib.parse import quote

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from cpd_exporter.adapters.aws.client import in_parallel
from cpd_exporter.adapters.thrive.auth import Access
from cpd_exporter.adapters.thrive.endpoints import Endpoints
from cpd_exporter.adapters.thrive.http import Http, Response, failure
from cpd_exporter.adapters.thrive.notice import WITHDRAWN, notice_of
from cpd_exporter.errors import (
    AccessError,
    LookUpError,
    PausedError,
    PermanentError,
    TransientError,
    WithdrawnError,
)
from cpd_exporter.model.entry import Found, Listing, read_listing, read_single_entry
from cpd_exporter.model.local_time import local_bounds
from cpd_exporter.model.minutes import Summaries, read_summaries
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Clock

MAX_WAIT_SECONDS = 10.0
"""The client waits no longer within a call. The queue and the next tick wait longer at no cost."""

MAX_PARALLEL_LOOKUPS = 8
"""The number of single entries that are read at the same time."""

NONE_THERE = (404, 410)
"""The statuses that say of an ID that there is no entry, or none any more."""

_back_off = wait_random_exponential(multiplier=0.5, max=5)


class ThriveApi:
    """The entries of one tenant.

    The client repeats a failed request a few times within half a minute. The function then has time
    left to report the outage, and the queue or the next tick tries again. Fingerprints leave out
    the members in ``fingerprint_exclude``. The API's filter reads dates in ``filter_time_zone``.
    """

    def __init__(
        self,
        http: Http,
        endpoints: Endpoints,
        access: Access,
        *,
        clock: Clock,
        fingerprint_exclude: frozenset[str] = frozenset(),
        filter_time_zone: tzinfo = UTC,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fingerprint_exclude = fingerprint_exclude
        self._filter_time_zone = filter_time_zone
        self._http = http
        self._endpoints = endpoints
        self._access = access
        self._clock = clock
        self.notice: str | None = None
        self._retrying = Retrying(
            retry=retry_if_exception(self._is_worth_repeating),
            stop=stop_after_attempt(4) | stop_after_delay(30),
            wait=_wait,
            sleep=sleep,
            reraise=True,
        )

    @property
    def calls(self) -> int:
        """The number of requests sent, with those for tokens."""
        return self._http.calls

    @property
    def may_ask(self) -> bool:
        return self._http.pace.is_open

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        params = {"page": str(page), "perPage": str(per_page)}
        bounds = local_bounds(window, self._filter_time_zone) if window else None
        if bounds is not None:
            params["entryDateFrom"] = f"{bounds.start:%Y-%m-%d %H:%M:%S}"
            params["entryDateTo"] = f"{bounds.end:%Y-%m-%d %H:%M:%S}"
        response = self._get(self._endpoints.entries, params)
        listing = read_listing(response.body, response.date, self._fingerprint_exclude)
        return replace(listing, span=bounds.span if bounds else None)

    def entry(self, entry_id: str) -> Found:
        url = f"{self._endpoints.entries}/{quote(entry_id, safe='')}"
        response = self._get(url, {}, accepted=(200, *NONE_THERE))
        if response.status in NONE_THERE:
            return None
        return read_single_entry(response.body, self._fingerprint_exclude)

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        distinct = list(dict.fromkeys(entry_ids))
        found = in_parallel(self._look_up, distinct, threads=MAX_PARALLEL_LOOKUPS)
        return dict(zip(distinct, found, strict=True))

    def _look_up(self, entry_id: str) -> Found | LookUpError:
        try:
            return self.entry(entry_id)
        except (PermanentError, TransientError) as error:
            return error

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        bounds = local_bounds(window, self._filter_time_zone).exact(window)
        params = {
            "page": str(page),
            "perPage": str(per_page),
            "entryDateFrom": f"{bounds.start:%Y-%m-%dT%H:%M:%S}",
            "entryDateTo": f"{bounds.end:%Y-%m-%dT%H:%M:%S}",
        }
        return read_summaries(self._get(self._endpoints.summaries, params).body)

    def _get(
        self, url: str, params: dict[str, str], *, accepted: Container[int] = (200,)
    ) -> Response:
        """The response. Raises the error of a status that is not accepted."""
        return self._retrying(self._get_once, url, params, accepted)

    def _get_once(self, url: str, params: dict[str, str], accepted: Container[int]) -> Response:
        authorization = self._access.authorization()
        response = self._send(url, params, authorization)
        if url == self._endpoints.entries:
            self.notice = notice_of(response)
            if response.status in WITHDRAWN:
                raise WithdrawnError(self.notice or "")
        if response.status == 401:
            # An operator may have rotated the secret, or the service revoked the token.
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

    def _is_worth_repeating(self, error: BaseException) -> bool:
        return (
            isinstance(error, TransientError)
            and not isinstance(error, AccessError | PausedError | WithdrawnError)
            and (error.retry_after is None or error.retry_after <= MAX_WAIT_SECONDS)
            and self.may_ask
        )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    return _back_off(state) if retry_after is None else retry_after
