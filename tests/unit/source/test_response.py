"""One response in as many rows as its size demands."""

import pytest

from cpd_exporter.errors import OversizedResponseError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from cpd_exporter.source.response import query_fitting
from tests.support.samples import listing, numbered
from tests.support.scripted_api import HOUR, ScriptedApi


class NarrowApi(ScriptedApi):
    """Its responses are too large with more rows than ``most``."""

    most = 100

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        answer = super().query(window, page=page, per_page=per_page)
        if per_page > self.most:
            raise OversizedResponseError("too large")
        return answer


def test_a_response_that_is_too_large_is_asked_for_in_halves() -> None:
    api = NarrowApi(listing(numbered(1)))
    answer, per_page = query_fitting(api, HOUR, 1000)
    assert len(answer.records) == 1
    assert [size for _, _, size in api.queries] == [1000, 500, 250, 125, 62]
    assert per_page == 62


def test_a_record_that_is_too_large_alone_is_an_error() -> None:
    api = NarrowApi(listing(numbered(1)))
    api.most = 0
    with pytest.raises(OversizedResponseError):
        query_fitting(api, HOUR, 4)
    assert [size for _, _, size in api.queries] == [4, 2, 1]
