"""The progress of a dense reading as bytes: gzipped JSON lines, a header and a line per record."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cpd_exporter.model import exact_json
from cpd_exporter.model.compression import compress, decompress
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.window import Window
from cpd_exporter.source.dense_reader import DenseReading
from cpd_exporter.source.union import Union

_CURRENT, _UNION, _EARLIER = 1, 2, 4


def encode_progress(reading: DenseReading, asked: Window) -> bytes:
    """The bytes of a reading of the window ``asked``."""
    return compress(b"\n".join([*_lines(reading, asked), b""]))


def decode_progress(stored: bytes, asked: Window) -> DenseReading | None:
    """The reading in ``stored``; ``None`` if it is damaged, or of another window."""
    try:
        lines = iter(decompress(stored).splitlines())
        header = exact_json.load(next(lines))
        if header.pop("asked") != str(asked):
            return None
        union: Union[None] = Union(total=header.pop("unionTotal"))
        reading = DenseReading(**header | {"totals": set(header["totals"])}, union=union)
        for line in lines:
            name, sets, *fields = exact_json.load(line)
            for flag, members in _members(reading):
                if sets & flag:
                    members[name] = None
            if fields:
                reading.records[name] = _record(fields)
    except (StopIteration, LookupError, TypeError, ValueError):
        return None
    return reading


def _lines(reading: DenseReading, asked: Window) -> Iterator[bytes]:
    yield exact_json.dump(
        {
            "asked": str(asked),
            "largest": reading.largest,
            "reading": reading.reading,
            "page": reading.page,
            "stale": reading.stale,
            "totals": sorted(reading.totals),
            "unionTotal": reading.union.total,
        }
    )
    sets = _members(reading)
    for name in reading.current | reading.union.members | reading.earlier:
        flags = sum(flag for flag, members in sets if name in members)
        record = reading.records.get(name)
        yield exact_json.dump([name, flags, *(_fields(record) if record else ())])


def _members(reading: DenseReading) -> tuple[tuple[int, dict[str, None]], ...]:
    return (
        (_CURRENT, reading.current),
        (_UNION, reading.union.members),
        (_EARLIER, reading.earlier),
    )


def _fields(record: Entry | FaultyEntry) -> tuple[Any, ...]:
    if isinstance(record, Entry):
        return record.id, record.date.isoformat(), record.fingerprint, record.text.decode()
    date = record.date and record.date.isoformat()
    return record.id, date, None, record.source.decode("latin-1"), record.fault


def _record(fields: list[Any]) -> Entry | FaultyEntry:
    entry_id, at, fingerprint, text, *fault = fields
    date = at and datetime.fromisoformat(at)
    if fault:
        return FaultyEntry(text.encode("latin-1"), fault[0], entry_id, date)
    return Entry(entry_id, date, text.encode(), fingerprint)
