"""The simulated API over real HTTP: listings and single entries."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.support.served import LISTING, START, SimulatorClient, exact


def test_a_listing_is_what_the_store_holds_digit_for_digit(service: SimulatorClient) -> None:
    response = service.listing(page=2, perPage=100)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = exact(response)
    assert body["pagination"] == {"totalResults": 250, "totalPages": 3, "page": 2, "perPage": 100}
    entries = list(service.simulator.store)
    assert body["results"] == [entry.value for entry in entries[100:200]]
    assert all(entry.text in response.text for entry in entries[100:200])


def test_the_filter_is_applied(service: SimulatorClient) -> None:
    low, high = START - timedelta(days=20), START - timedelta(days=10)
    body = exact(
        service.listing(
            entryDateFrom=f"{low:%Y-%m-%d %H:%M:%S}", entryDateTo=f"{high:%Y-%m-%d}", perPage=1000
        )
    )
    midnight = high.replace(hour=0)
    expected = [
        entry.value
        for entry in service.simulator.store
        if low.timestamp() * 1000 < entry.at_ms < midnight.timestamp() * 1000
    ]
    assert body["results"] == expected
    assert 0 < len(expected) < 250


def test_an_entry_by_id_is_bare(service: SimulatorClient) -> None:
    entry = list(service.simulator.store)[7]
    response = service.client.get(f"{LISTING}/{entry.log_entry_id}")
    assert response.text == entry.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{LISTING}/{'0' * 24}", "CPD entry not found"),
        (f"{LISTING}/nonsense", "CPD entry not found"),
        ("/rest/v1/users", "GET /rest/v1/users does not exist"),
        (f"{LISTING}/", f"GET {LISTING}/ does not exist"),
    ],
)
def test_what_does_not_exist_is_404_in_the_documented_form(
    service: SimulatorClient, path: str, message: str
) -> None:
    response = service.client.get(path)
    assert response.status_code == 404
    assert response.json() == {"status": 404, "error": "Not Found", "message": message}


def test_a_bad_parameter_is_400_in_the_documented_form(service: SimulatorClient) -> None:
    response = service.listing(perPage=1001)
    assert response.status_code == 400
    assert response.json() == {
        "status": 400,
        "error": "Bad Request",
        "message": "perPage must be from 1 to 1000",
    }


def test_the_date_header_is_the_services_clock(service: SimulatorClient) -> None:
    assert parsedate_to_datetime(service.listing().headers["date"]) == START
    service.simulator.behave(clock_skew_seconds=-300)
    for response in (service.listing(), service.listing(page=0), service.client.get("/")):
        assert parsedate_to_datetime(response.headers["date"]) == START - timedelta(minutes=5)
