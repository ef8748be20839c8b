"""What the API says of its own end."""

import httpx
import pytest

from cpd_exporter.errors import WithdrawnError
from tests.support.thrive import answering

EMPTY = {"pagination": {"totalResults": 0, "perPage": 1000}, "results": []}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Deprecation": "@1767225600"}, "is deprecated (2026-01-01T00:00:00Z): ask Thrive"),
        ({"Deprecation": "true"}, "is deprecated (true): ask"),
        ({"Sunset": "Thu, 31 Dec 2026 23:59:59 GMT"}, "is to end at 2026-12-31T23:59:59Z: ask"),
        (
            {"Deprecation": "@1767225600", "Sunset": "Thu, 31 Dec 2026 23:59:59 GMT"},
            "is deprecated (2026-01-01T00:00:00Z) and to end at 2026-12-31T23:59:59Z",
        ),
        ({"Sunset": "soon " * 50}, "is to end at soon soon soon"),
        ({"Deprecation": "@" + "9" * 30}, "is deprecated (@9999"),
    ],
)
def test_headers_that_name_its_end(headers: dict[str, str], said: str) -> None:
    with answering(lambda _: httpx.Response(200, json=EMPTY, headers=headers)) as api:
        assert api.notice is None
        api.query(None)
        assert said in str(api.notice)
        assert len(str(api.notice)) < 250


def test_a_listing_without_them_takes_the_notice_back() -> None:
    answers = [{"Sunset": "Thu, 31 Dec 2026 23:59:59 GMT"}, {}]
    with answering(lambda _: httpx.Response(200, json=EMPTY, headers=answers.pop(0))) as api:
        api.query(None)
        api.query(None)
        assert api.notice is None


@pytest.mark.parametrize("status", [404, 410])
def test_a_listing_that_is_gone_is_no_pages_fault(status: int) -> None:
    with answering(lambda _: httpx.Response(status)) as api:
        with pytest.raises(WithdrawnError, match=f"answered {status}: this version of the API is"):
            api.query(None)
        assert api.calls == 1
        assert str(status) in str(api.notice)


def test_an_entry_that_is_gone_says_nothing_of_the_api() -> None:
    with answering(lambda _: httpx.Response(404)) as api:
        assert api.entry("65f1c0ffee65f1c0ffee65f1") is None
        assert api.notice is None
