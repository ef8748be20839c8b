"""The progress of a dense reading: what is saved is what is gone on with."""

from datetime import timedelta

from msgspec.structs import replace

from cpd_exporter.model.entry import FaultyEntry
from cpd_exporter.model.window import Window
from cpd_exporter.source.dense_reader import DenseReading
from cpd_exporter.source.reading_progress import decode_progress, encode_progress
from cpd_exporter.source.union import Union
from tests.support.samples import START, entry

ASKED = Window(START, START + timedelta(seconds=3))
READING = DenseReading(
    largest=1000,
    reading=1,
    page=3,
    stale=1,
    totals={7, 8},
    current={"a": None, "b": None},
    union=Union({"b": None, "c": None}, total=7),
    earlier={"c": None, "d": None},
    records={
        "a": replace(entry(), is_documented=False),
        "d": FaultyEntry(b'{"odd": "\xff"}', "no date", None, None),
    },
)


def test_what_was_saved_comes_back() -> None:
    assert decode_progress(encode_progress(READING, ASKED), ASKED) == READING


def test_the_progress_of_another_window_is_none() -> None:
    other = Window(START, START + timedelta(seconds=4))
    assert decode_progress(encode_progress(READING, ASKED), other) is None
