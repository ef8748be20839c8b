"""Sums that change while they are read are read anew."""

import pytest

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.window import Window
from cpd_exporter.source.minutes_reader import read_minutes_by_user
from tests.support.scripted_api import HOUR, ScriptedApi


class SumsApi(ScriptedApi):
    """Gives these sums in turn, each in one response with a total of three; the last for ever."""

    def __init__(self, *sums: dict[str, int]) -> None:
        super().__init__()
        self.sums = list(sums)

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        sums = self.sums.pop(0) if len(self.sums) > 1 else self.sums[0]
        return Summaries(tuple(sums.items()), total=3, per_page=per_page)


def test_a_sum_that_changed_makes_the_earlier_reading_void() -> None:
    api = SumsApi({"a": 1, "b": 2}, {"a": 5, "c": 3})
    assert read_minutes_by_user(api, HOUR) == {"a": 5, "c": 3}


def test_readings_that_agree_are_joined() -> None:
    """The first response is not believed, as its total is larger; so more are asked for."""
    whole = {"a": 1, "b": 2, "c": 3}
    assert read_minutes_by_user(SumsApi({"a": 1, "b": 2}, whole), HOUR) == whole


def test_sums_that_never_agree_are_an_error_that_says_what_to_do() -> None:
    api = SumsApi(*({"a": n} for n in range(20)))
    with pytest.raises(InconsistentListingError) as caught:
        read_minutes_by_user(api, HOUR)
    assert str(caught.value) == (
        f"the API's sums for {HOUR} contradict each other, 10 times running. "
        "Verify this range again later"
    )
