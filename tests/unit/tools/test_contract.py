"""The contract: its files are what the code makes, each valid by a tool of its standard."""

import copy
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsoncompat
import jsonschema_rs
import pytest
import yaml
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from cpd_exporter.model.entry import Entry, read_entry
from cpd_exporter.model.event import ATTRIBUTES, event_for, reference_for
from cpd_exporter.model.row import Change
from tests.support.samples import content, row_for
from tools import contract

Schema = dict[str, Any]

FILES = contract.files()
SCHEMAS = contract.schemas()
SAMPLES = contract.samples()


@cache
def validator(name: str) -> Any:
    return jsonschema_rs.Draft202012Validator(SCHEMAS[name], validate_formats=True)


def on_disk(folder: str) -> set[Path]:
    return set((contract.EVENTS / folder).glob("*.json"))


def test_the_files_are_what_the_code_makes() -> None:
    assert on_disk("schemas") | on_disk("samples") == FILES.keys(), "run `make contract`"
    for path, text in FILES.items():
        assert path.read_text() == text, f"{path.name} is of earlier code: run `make contract`"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid_and_has_its_own_id(name: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert [one["$id"] for one in SCHEMAS.values()].count(SCHEMAS[name]["$id"]) == 1


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_fits_the_schemas_of_its_type_and_no_other(name: str) -> None:
    event = json.loads(SAMPLES[name].body)
    validator(f"{event['type']}.json").validate(event)
    data = f"{event['type']}.data.json"
    assert SCHEMAS[data]["$id"] == event["dataschema"]
    validator(data).validate(event["data"])
    events = {other for other in SCHEMAS if validator(other).is_valid(event)}
    assert {other for other in events if other.count(".") == 3} == {f"{event['type']}.json"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sdk_of_cloudevents_reads_each_sample(name: str) -> None:
    sent = json.loads(SAMPLES[name].body)
    event = JSONFormat().read(CloudEvent, SAMPLES[name].body)
    assert (event.get_id(), event.get_source(), event.get_type(), event.get_dataschema()) == (
        sent["id"],
        sent["source"],
        sent["type"],
        sent["dataschema"],
    )
    assert event.get_extension("sequence") == sent["sequence"]
    assert event.get_data() == sent["data"]


def test_the_attributes_fit_their_schema() -> None:
    for event in SAMPLES.values():
        if event.entry_id:
            validator("attributes.json").validate(event.attributes)
    assert not validator("attributes.json").is_valid({"change": "moved", "isVerified": "true"})


VALUES: tuple[Any, ...] = (
    None,
    True,
    7,
    -7,
    10**30,
    1.5,
    "",
    "text",
    "i" * 256,
    "i" * 257,
    {},
    ["a"],
)
MEMBERS = (*(name for name in content() if name != "entryDate"), "undocumented")
DATES = ("2026-03-01 12:00:01.123456789+01:00", "2026-03-01T12:00:01z", "2026-03-01", "now", 7)
ODD: tuple[dict[str, Any], ...] = (
    *({name: value} for name in MEMBERS for value in VALUES),
    *({"entryDate": date} for date in DATES),
    *({"activity": {"type": value, "name": "n", "more": value}} for value in VALUES),
    *({"category": {"categoryId": value, "name": "n"}} for value in VALUES),
)


@pytest.mark.parametrize("change", Change)
def test_the_schema_allows_what_the_exporter_takes_and_no_more(change: Change) -> None:
    whole = SCHEMAS[f"cpd.entry.{change}.json"]
    fits = jsonschema_rs.Draft202012Validator({"$ref": "#/$defs/Entry", "$defs": whole["$defs"]})
    taken = 0
    for members in ODD:
        entry = read_entry(json.dumps(content(**members)).encode())
        assert fits.is_valid(content(**members)) == isinstance(entry, Entry), members
        if isinstance(entry, Entry):
            taken += 1
            row = row_for(entry, change, exported_at=contract.STORED_AT)
            for make in (event_for, reference_for):
                event = make(row, "key", "s3://lake/entries/object.jsonl.gz")
                validator(f"cpd.entry.{change}.json").validate(json.loads(event.body))
    assert 20 < taken < len(ODD) - 20


def is_compatible(released: Schema, current: Schema | None) -> bool:
    """Whether all that the current schema allows is allowed by the released one.

    Another version in the ``$id`` is another contract, which consumers choose.
    """
    if current is None:
        return False
    if current["$id"] != released["$id"]:
        return True
    return jsoncompat.check_compat(json.dumps(released), json.dumps(current), "serializer")


def test_no_change_since_the_last_release_breaks_a_consumer() -> None:
    broken = [
        path.name
        for path in contract.RELEASED.glob("*.json")
        if not is_compatible(json.loads(path.read_text()), SCHEMAS.get(path.name))
    ]
    assert (contract.RELEASED / "cpd.entry.created.json").exists()
    assert not broken, "they allow what was not released: raise DATA_VERSION, or undo that"


def changed(change: Callable[[Schema], object]) -> Schema:
    schema = copy.deepcopy(SCHEMAS["cpd.entry.created.json"])
    change(schema)
    return schema


def entry_of(schema: Schema) -> Schema:
    members: Schema = schema["$defs"]["Entry"]["properties"]
    return members


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["required"].remove("sequence"),
        lambda schema: schema["properties"].pop("lakeUri", schema["properties"].pop("time")),
        lambda schema: schema["properties"]["sequence"].update(pattern="^[0-9]+$"),
        lambda schema: schema["properties"]["type"].update(const="cpd.entry.made"),
        lambda schema: schema["$defs"]["Data"]["required"].remove("fingerprint"),
        lambda schema: entry_of(schema)["durationMinutes"].update(type="number"),
        lambda schema: entry_of(schema)["userId"].update(type=["string", "null"]),
        lambda schema: entry_of(schema)["logEntryId"].update(maxLength=300),
    ],
)
def test_a_breaking_change_is_found(change: Callable[[Schema], object]) -> None:
    released = SCHEMAS["cpd.entry.created.json"]
    assert not is_compatible(released, changed(change))


def test_a_type_that_is_gone_breaks_its_consumers() -> None:
    assert not is_compatible(SCHEMAS["cpd.entry.created.json"], None)


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: None,
        lambda schema: schema["properties"].update(traceparent={"type": "string"}),
        lambda schema: entry_of(schema).update(location={"type": "string"}),
        lambda schema: entry_of(schema)["logEntryId"].update(maxLength=24),
        lambda schema: entry_of(schema)["userId"].update(description="Somebody."),
        lambda schema: schema.update({"$id": re.sub("1$", "2", schema["$id"]), "required": []}),
    ],
)
def test_other_changes_are_free(change: Callable[[Schema], object]) -> None:
    assert is_compatible(SCHEMAS["cpd.entry.created.json"], changed(change))


def test_the_topic_s_document_names_every_type_and_attribute() -> None:
    document = yaml.safe_load((contract.EVENTS / "asyncapi.yaml").read_text())
    messages = document["components"]["messages"].values()
    payloads = {message["name"]: message["payload"]["$ref"] for message in messages}
    types = {json.loads(event.body)["type"] for event in SAMPLES.values()}
    assert payloads == {type_: f"./schemas/{type_}.json" for type_ in types}
    policies = document["x-filter-policies"].values()
    assert {name for policy in policies for name in policy} == set(ATTRIBUTES)
