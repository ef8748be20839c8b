"""What goes over the wire, and what may come back."""

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from cpd_exporter.adapters.thrive import http as adapters_http
from cpd_exporter.adapters.thrive.http import new_client
from cpd_exporter.errors import (
    MalformedResponseError,
    OversizedResponseError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model.window import Window
from tests.support.thrive import (
    FIRST,
    SleepingClock,
    answering,
    assert_clean,
)

EMPTY = {"pagination": {"totalResults": 0, "perPage": 1000}, "results": []}


class TestOnTheWire:
    def test_what_is_asked(self) -> None:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, json=EMPTY)

        window = Window(FIRST, FIRST + timedelta(days=1, seconds=5))
        with answering(answer) as api:
            api.query(window, page=2, per_page=7)
            api.query(None)
        assert str(asked[0].url).startswith("https://public.api.learn.link/rest/v1/cpdEntries?")
        assert dict(asked[0].url.params) == {
            "page": "2",
            "perPage": "7",
            "entryDateFrom": "2026-01-01 00:00:00",
            "entryDateTo": "2026-01-02 00:00:05",
        }
        assert dict(asked[1].url.params) == {"page": "1", "perPage": "1000"}

    def test_who_asks_and_for_what(self) -> None:
        with new_client() as client:
            assert client.headers["User-Agent"] == "cpd-exporter"
            assert client.headers["Accept-Encoding"] == "gzip"
            assert not client.follow_redirects
            assert client.timeout == httpx.Timeout(30, connect=5)

    def test_zipped_answers(self) -> None:
        body = gzip.compress(b'{"pagination":{"totalResults":3,"perPage":9},"results":[]}')
        headers = {"Content-Encoding": "gzip"}
        with answering(lambda _: httpx.Response(200, content=body, headers=headers)) as api:
            assert api.query(None).total == 3

    def test_answers_that_cannot_be_unzipped_are_tried_again(self) -> None:
        headers = {"Content-Encoding": "gzip"}
        with answering(lambda _: httpx.Response(200, stream=Stream(b"no"), headers=headers)) as api:
            with pytest.raises(TransientError, match="DecodingError"):
                api.query(None)
            assert api.calls == 4

    def test_a_body_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adapters_http, "MAX_BODY_BYTES", 10_000)
        with (
            answering(lambda _: httpx.Response(200, stream=Stream(b"x" * 100))) as api,
            pytest.raises(OversizedResponseError, match="more than 10000 bytes"),
        ):
            api.query(None)

    def test_a_body_that_drips(self) -> None:
        clock = SleepingClock()

        def drip() -> None:
            clock.now += timedelta(seconds=5)

        with (
            answering(lambda _: httpx.Response(200, stream=Stream(b"x", drip)), clock) as api,
            pytest.raises(TransientError, match="still answering"),
        ):
            api.query(None)

    @pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2026 00:00:00 GMT"])
    def test_a_clock_that_cannot_be_read(self, date: str) -> None:
        headers = {"Date": date}
        with answering(lambda _: httpx.Response(200, json=EMPTY, headers=headers)) as api:
            assert api.query(None).served_at is None

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("30", 30),
            (" 30 ", 30),
            ("Mon, 12 Jan 2026 08:31:00 GMT", 60),
            ("soon", None),
            ("-5", None),
            ("٣", None),
        ],
    )
    def test_what_retry_after_says(self, value: str, seconds: float | None) -> None:
        headers = [(b"Retry-After", value.encode())]
        with (
            answering(lambda _: httpx.Response(429, headers=headers)) as api,
            pytest.raises(TransientError) as raised,
        ):
            api.query(None)
        assert raised.value.retry_after == seconds

    def test_a_date_to_wait_for_is_by_the_servers_clock(self) -> None:
        headers = {
            "Date": "Mon, 12 Jan 2026 08:20:00 GMT",
            "Retry-After": "Mon, 12 Jan 2026 08:21:30 GMT",
        }
        with (
            answering(lambda _: httpx.Response(429, headers=headers)) as api,
            pytest.raises(TransientError) as raised,
        ):
            api.query(None)
        assert raised.value.retry_after == 90

    def test_a_time_that_has_passed(self) -> None:
        headers = {"Retry-After": "Mon, 12 Jan 2026 08:00:00 GMT"}
        with answering(lambda _: httpx.Response(503, headers=headers)) as api:
            with pytest.raises(TransientError) as raised:
                api.query(None)
            assert api.calls == 4
        assert raised.value.retry_after == 0

    @pytest.mark.parametrize("status", [201, 204, 300, 304])
    def test_a_status_that_nobody_documents(self, status: int) -> None:
        with (
            answering(lambda _: httpx.Response(status)) as api,
            pytest.raises(MalformedResponseError, match=str(status)),
        ):
            api.query(None)

    @pytest.mark.parametrize("status", [405, 409, 418])
    def test_a_refusal_that_nobody_documents(self, status: int) -> None:
        with answering(lambda _: httpx.Response(status)) as api:
            with pytest.raises(PermanentError, match=str(status)):
                api.query(None)
            assert api.calls == 1

    def test_messages_name_what_was_asked_but_not_the_query(self) -> None:
        with (
            answering(lambda _: httpx.Response(400)) as api,
            pytest.raises(PermanentError) as raised,
        ):
            api.query(Window(FIRST, FIRST + timedelta(days=1)))
        asked = "GET https://public.api.learn.link/rest/v1/cpdEntries answered 400"
        assert str(raised.value).startswith(asked)
        assert_clean(raised.value)


class Stream(httpx.SyncByteStream):
    """A body of the same piece over and over, a thousand times."""

    def __init__(self, piece: bytes, between: Callable[[], None] = lambda: None) -> None:
        self._piece = piece
        self._between = between

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            self._between()
            yield self._piece
