"""The simulated API over real HTTP: faults, changes, hooks and records."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from simulator import RecordedCall
from tests.support.served import LISTING, START, SimulatorClient


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 520])
def test_a_status_with_the_documented_body_or_a_page(service: SimulatorClient, status: int) -> None:
    service.simulator.behave(faults=[{"status": status, "times": 1}, {"status": status, "html": 1}])
    documented, page = service.listing(), service.listing()
    assert documented.status_code == page.status_code == status
    body = documented.json()
    assert body == {"status": status, "error": body["error"], "message": body["message"]}
    assert page.headers["content-type"] == "text/html"
    assert page.text.startswith("<!doctype html>")
    assert "Retry-After" not in documented.headers


def test_retry_after_in_both_forms_of_http(service: SimulatorClient) -> None:
    service.simulator.behave(
        faults=[
            {"status": 429, "retry_after": 7, "times": 1},
            {"status": 503, "retry_after": 7, "retry_after_as_date": True},
        ]
    )
    assert service.listing().headers["retry-after"] == "7"
    until = parsedate_to_datetime(service.listing().headers["retry-after"])
    assert until == START + timedelta(seconds=7)


def test_a_redirect(service: SimulatorClient) -> None:
    service.simulator.behave(faults=[{"status": 302, "location": "http://127.0.0.1:9/"}])
    response = service.listing()
    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/")


def test_a_fault_strikes_the_endpoint_that_it_names(service: SimulatorClient) -> None:
    entry = f"{LISTING}/{next(iter(service.simulator.store)).log_entry_id}"

    def statuses(on: str) -> list[int]:
        service.simulator.behave(faults=[{"status": 500, "on": on}])
        answers = (service.listing(), service.client.get(entry), service.token())
        return [answer.status_code for answer in answers]

    assert statuses("listing") == [500, 200, 200]
    assert statuses("entry") == [200, 500, 200]
    assert statuses("token") == [200, 200, 500]
    assert statuses("any") == [500, 500, 500]


def test_a_cut_off_response_is_a_protocol_error_and_the_next_one_is_whole(
    service: SimulatorClient,
) -> None:
    service.simulator.behave(faults=[{"kind": "cut-off", "times": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        service.listing()
    assert len(service.listing().json()["results"]) == 100
    assert [call.faults for call in service.simulator.calls] == [("cut-off",), ()]


def test_truncated_json_is_a_whole_response(service: SimulatorClient) -> None:
    whole = service.listing()
    service.simulator.behave(faults=[{"kind": "truncated"}])
    truncated = service.listing()
    assert truncated.status_code == 200
    assert truncated.content == whole.content[: len(whole.content) // 2]
    with pytest.raises(json.JSONDecodeError):
        truncated.json()


def test_a_page_instead_of_json(service: SimulatorClient) -> None:
    service.simulator.behave(faults=[{"kind": "html"}])
    response = service.listing()
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html")
    assert "<html>" in response.text


def test_any_body_at_all(service: SimulatorClient) -> None:
    service.simulator.behave(faults=[{"kind": "raw", "body": '{"pagination": null}'}])
    assert service.listing().json() == {"pagination": None}


def test_a_slow_response_delays_no_other(service: SimulatorClient) -> None:
    service.simulator.behave(faults=[{"kind": "slow", "seconds": 5, "times": 1}])
    with pytest.raises(httpx.ReadTimeout):
        service.client.get(LISTING, timeout=0.2)
    assert service.listing().elapsed < timedelta(seconds=2)


def test_entries_change_while_they_are_read_and_paging_loses_some(service: SimulatorClient) -> None:
    service.simulator.behave(changes=[{"kind": "delete", "count": 5}])
    there_all_along = {entry.log_entry_id for entry in service.simulator.store}
    read: set[str] = set()
    for page in range(1, 6):
        for entry in service.listing(page=page, perPage=50).json()["results"]:
            if isinstance(entry, dict):
                read.add(entry.get("logEntryId", ""))
    # Well-formed ones that survived the whole read, and that no page showed.
    there_all_along &= {
        entry.log_entry_id
        for entry in service.simulator.store
        if isinstance(entry.value, dict) and "logEntryId" in entry.value
    }
    assert len(service.simulator.store) == 225
    assert there_all_along - read


def test_a_hook_may_call_the_api_before_the_answer_leaves(service: SimulatorClient) -> None:
    seen: list[RecordedCall] = []

    def hook(call: RecordedCall) -> None:
        seen.append(call)
        if len(seen) == 1:
            service.simulator.insert(START)
            assert service.listing().json()["pagination"]["totalResults"] == 251

    service.simulator.after_call = hook
    assert service.listing().json()["pagination"]["totalResults"] == 250
    assert [call.status for call in seen] == [200, 200]


def test_every_call_is_recorded_with_what_it_asked(service: SimulatorClient) -> None:
    service.listing(perPage=3, entryDateFrom="2025-02-01")
    service.listing(perPage="many")
    service.token()
    calls = service.simulator.calls
    assert calls[0] == RecordedCall(
        "listing", 200, {"perPage": "3", "entryDateFrom": "2025-02-01"}, 3
    )
    assert calls[1] == RecordedCall("listing", 400, {"perPage": "many"})
    summary = service.client.get("/_simulator/calls").json()
    assert summary["total"] == 3
    assert summary["byEndpoint"] == {"listing": {"200": 1, "400": 1}, "token": {"200": 1}}
    assert summary["entriesInStore"] == 250
    assert summary["listings"][0] == {
        "perPage": "3",
        "entryDateFrom": "2025-02-01",
        "status": 200,
        "entries": 3,
        "faults": [],
    }


def test_calls_from_many_clients_are_all_counted(service: SimulatorClient) -> None:
    def read(page: int) -> set[str]:
        results = service.listing(page=page, perPage=10).json()["results"]
        return {json.dumps(entry, sort_keys=True) for entry in results}

    with ThreadPoolExecutor(8) as readers:
        pages = list(readers.map(read, range(1, 26)))
    assert sum(len(page) for page in pages) == 250
    assert service.simulator.count("listing", 200) == 25
