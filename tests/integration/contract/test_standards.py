"""The contract's files under their standards' own tools, as `make lint` checks them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.standards import (
    EVENTS,
    LAKE_CONTRACT,
    LOCK,
    event_faults,
    install_packages,
    lake_faults,
)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A copy of the events' contract, to be changed by a test."""
    install_packages()
    return shutil.copytree(EVENTS, tmp_path / "events")


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def change_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_topic_without_its_address_or_with_a_lost_message_is_no_asyncapi(events: Path) -> None:
    change_text(events / "asyncapi.yaml", "    address:", "    addres:")
    change_text(events / "asyncapi.yaml", "$ref: ./schemas/cpd.entry.updated.json", "$ref: ./no")
    faults = list(event_faults(events))
    assert [fault for fault in faults if "addres" in fault]
    assert [fault for fault in faults if "updated" in fault]


def test_a_schema_and_a_sample_that_disagree_are_found(events: Path) -> None:
    schemas, samples = events / "schemas", events / "samples"
    change_json(schemas / "attributes.json", lambda schema: schema.update(type="record"))
    change_json(samples / "cpd.entry.created.json", lambda event: event.pop("sequence"))
    change_json(samples / "cpd.exporter.ping.json", lambda event: event.update(source=""))
    found = [fault.partition(": ")[0] for fault in event_faults(events)]
    assert found[0] == "asyncapi.yaml"
    assert [place for place in found if place != "asyncapi.yaml"] == [
        "schemas/attributes.json",
        "samples/cpd.entry.created.json",
        "samples/cpd.exporter.ping.json",
    ]


def test_a_lake_contract_of_no_known_form_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "contract.yaml"
    shutil.copy(LAKE_CONTRACT, copy)
    change_text(copy, "logicalType: boolean", "logicalType: flag")
    assert list(lake_faults(copy))


def test_the_npm_packages_are_locked_by_hash_and_from_no_named_place() -> None:
    _, *packages = json.loads(LOCK.read_text())["packages"].values()
    assert len(packages) > 100
    assert all(one["integrity"].startswith("sha512-") for one in packages)
    assert not any("resolved" in one for one in packages)
