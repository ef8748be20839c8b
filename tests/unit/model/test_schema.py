"""What is said of a message or a command that has a fault."""

import pytest
from pydantic import ValidationError

from cpd_exporter.model.schema import Instant, StrictModel, faults_of


class Order(StrictModel):
    at_once: Instant


def faults(value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate(value)
    return faults_of(refused.value)


def test_faults_are_named_by_place_and_none_of_the_values_is_shown() -> None:
    assert faults("secret") == (
        "the message: Input should be a valid dictionary or instance of Order"
    )
    assert faults({"atOnce": "2026-03-01T12:00:00.5Z", "more": "secret"}) == (
        "atOnce: Value error, not an RFC 3339 date and time on a whole second; "
        "more: Extra inputs are not permitted"
    )
