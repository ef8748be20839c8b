"""Counting a window."""

from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.source.counter import Count, count
from tests.support.samples import listing, numbered
from tests.support.scripted_api import HOUR, ScriptedApi


def test_a_count_is_never_less_than_the_rows() -> None:
    assert count(ScriptedApi(listing(numbered(1), total=0)), HOUR) == Count(
        1, None, has_record=True
    )
    assert count(ScriptedApi(listing(numbered(1), total=77)), HOUR).total == 77
    api = ScriptedApi(listing())
    assert count(api, HOUR).total == 0
    assert api.queries == [(HOUR.widened(SECOND), 1, 1)]
