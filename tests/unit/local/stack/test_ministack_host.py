"""What the host changes in MiniStack."""

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stack import ministack_host


@pytest.fixture(autouse=True)
def _with_fast_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.parse, "unquote_plus", urllib.parse.unquote_plus)
    ministack_host._read_forms_fast()  # noqa: SLF001  # it serves this process alone


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    form = urllib.parse.urlencode(fields, errors="surrogatepass") if fields else ""
    assert dict(urllib.parse.parse_qsl(form, errors="surrogatepass")) == fields


def test_a_value_with_an_equals_sign_is_read_too() -> None:
    assert urllib.parse.parse_qsl("a=b=c%20d&e=%3D+") == [("a", "b=c d"), ("e", "= ")]
