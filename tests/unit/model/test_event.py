"""Events: a function of the stored row, and nothing else."""

import hashlib
import re
from copy import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.event import Event, event_for, reference_for
from cpd_exporter.model.row import Change, Row
from tests.support.samples import TENANT, content, entry, row_for

# What SNS and SQS take in a message.
_SENDABLE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
KEY = "entries/entry_month=2026-03/page.jsonl.gz"
URI = f"s3://lake/{KEY}"
ID = "6610a1b2c3d4e5f601234567"


def row(**changes: Any) -> Row:
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    return row_for(entry(**changes), exported_at=at)


def published(**changes: Any) -> Event:
    return event_for(row(**changes), key=KEY, uri=URI)


def test_the_golden_event() -> None:
    event = published()
    event_id = hashlib.sha256(f"{KEY}\n{ID}".encode()).hexdigest()
    assert event.id == event_id
    assert event.entry_id == ID
    assert json_text.load(event.body) == {
        "specversion": "1.0",
        "id": event_id,
        "source": f"urn:cpd-exporter:tenant:{TENANT}",
        "type": "cpd.entry.created",
        "dataschema": "urn:cpd-exporter:schema:cpd.entry.created:1",
        "subject": ID,
        "time": "2026-03-02T08:00:00.000Z",
        "sequence": f"1772438400000-{event_id[:16]}",
        "datacontenttype": "application/json",
        "data": {"entry": content(), "fingerprint": row().fingerprint, "lakeUri": URI},
    }
    assert event.attributes == {
        "change": "created",
        "activityType": "article",
        "categoryId": "cat-1",
        "isVerified": "false",
    }


def test_publishing_again_gives_an_equal_event() -> None:
    assert published(unknown={"b": 1, "a": 1.5}) == published(unknown={"b": 1, "a": 1.5})


def test_the_id_is_of_the_place_and_the_entry() -> None:
    other_place = event_for(row(), key=KEY.replace("page", "other"), uri=URI)
    other_entry = published(logEntryId="b" * 24)
    assert len({published().id, other_place.id, other_entry.id}) == 3
    assert published(description="edited").id == published().id


@pytest.mark.parametrize("change", Change)
def test_the_type_names_the_change(change: Change) -> None:
    event = event_for(replace(row(), change=change), key=KEY, uri=URI)
    body = json_text.load(event.body)
    assert body["type"] == f"cpd.entry.{change.value}"
    assert body["dataschema"] == f"urn:cpd-exporter:schema:{body['type']}:1"
    assert event.attributes["change"] == change.value


def sequence_at(at: datetime, key: str = KEY) -> str:
    event = event_for(replace(row(), exported_at=at), key=key, uri=URI)
    return str(json_text.load(event.body)["sequence"])


def test_sequences_sort_as_text_in_the_order_of_storing() -> None:
    instants = [
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
        datetime(2026, 3, 2, 8, tzinfo=UTC),
        datetime(2026, 3, 2, 8, microsecond=1000, tzinfo=UTC),
        datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC),
        datetime(2286, 11, 20, 17, 46, 39, 999000, tzinfo=UTC),
    ]
    sequences = [sequence_at(at) for at in instants]
    assert sequences == sorted(sequences)
    assert {len(sequence) for sequence in sequences} == {30}


def test_two_pages_that_store_an_entry_at_one_instant_give_an_order_nevertheless() -> None:
    at = datetime(2026, 3, 2, 8, microsecond=1000, tzinfo=UTC)
    one, other = sequence_at(at), sequence_at(at, KEY.replace("page", "other"))
    assert one != other
    assert one == sequence_at(at)
    assert one[:13] == other[:13]


def test_a_reference_is_the_same_event_without_the_entry() -> None:
    full, reference = published(), reference_for(row(), key=KEY, uri=URI)
    assert (reference.id, reference.attributes) == (full.id, full.attributes)
    body = json_text.load(full.body)
    del body["data"]["entry"]
    assert json_text.load(reference.body) == body
    assert "confidential" not in reference.body


@pytest.mark.parametrize("value", ["", "x" * 257, "a\x00b", "\uffff", "\x0b"])
def test_what_an_attribute_may_not_hold_is_left_out_and_remains_in_the_body(value: str) -> None:
    event = published(activity={"type": value, "name": "n"})
    assert set(event.attributes) == {"change", "categoryId", "isVerified"}
    assert json_text.load(event.body)["data"]["entry"]["activity"]["type"] == value
    assert _SENDABLE.fullmatch(event.body)


@pytest.mark.parametrize("value", ["é", "x" * 256, "tab\tand\nline", "👍", "\ufffd"])
def test_what_an_attribute_may_hold_is_there(value: str) -> None:
    assert published(activity={"type": value, "name": "n"}).attributes["activityType"] == value


def test_verified_is_said_in_words_that_filter_policies_can_match() -> None:
    assert published(isVerified=True).attributes["isVerified"] == "true"
