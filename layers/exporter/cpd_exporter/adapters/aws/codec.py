"""Records as the attributes of items, and back.

An attribute has its field's name in camel case. A field that is ``None`` has no attribute, and an
absent attribute means the field's default.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic.alias_generators import to_camel

from cpd_exporter.adapters.aws.dynamodb import Item
from cpd_exporter.model.timestamps import parse_instant


def text_of(instant: datetime) -> str:
    """RFC 3339 with every digit; instants on whole seconds sort as text."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class ValueType:
    """How a type of value is stored. ``encode`` returns ``None`` for a value to leave out."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Codec[Record]:
    """Turns records of one type into the attributes of their items, and back.

    A field whose type is a codec adds that codec's attributes to the record's own.
    """

    def __init__(self, record: Callable[..., Record], **types: "ValueType | Codec[Any]") -> None:
        self._record = record
        self._fields = [(name, to_camel(name), type_) for name, type_ in types.items()]

    def encode(self, record: Record) -> Item:
        attributes: Item = {}
        for name, attribute, type_ in self._fields:
            value = getattr(record, name)
            if isinstance(type_, Codec):
                attributes |= type_.encode(value)
            elif value is not None and (stored := type_.encode(value)) is not None:
                attributes[attribute] = stored
        return attributes

    def decode(self, item: Item, **others: Any) -> Record:
        """The record in an item. ``others`` are the fields that no attribute holds."""
        for name, attribute, type_ in self._fields:
            if isinstance(type_, Codec):
                others[name] = type_.decode(item)
            elif attribute in item:
                others[name] = type_.decode(item[attribute])
        return self._record(**others)


TEXT = ValueType(str, str)
NUMBER = ValueType(int, int)
NUMBER_BUT_ZERO = ValueType(lambda number: number or None, int)
FLAG = ValueType(lambda flag: flag or None, bool)
INSTANT = ValueType(text_of, parse_instant)
COUNTS = ValueType(
    lambda counts: dict(counts) or None,
    lambda stored: {name: int(count) for name, count in stored.items()},
)
TEXTS = ValueType(lambda texts: dict(texts) or None, dict)
NAMES = ValueType(lambda names: list(names) or None, tuple)
