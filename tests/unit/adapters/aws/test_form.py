"""The form of a call to SNS: what botocore itself would send."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.adapters.aws.form import write_at_once
from cpd_exporter.adapters.aws.topic import topic_client

ACCESS = {
    "region_name": "eu-west-2",
    "aws_access_key_id": "id",
    "aws_secret_access_key": "key",
}


class RefusedError(Exception):
    """The request goes no further."""


def sent(client: Any, entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The form that the client would send."""
    bodies: list[Any] = []

    def catch(request: Any, **_: Any) -> None:
        bodies.append(request.body)
        raise RefusedError

    client.meta.events.register("before-send.sns", catch)
    with pytest.raises(RefusedError):
        client.publish_batch(TopicArn="arn:aws:sns", PublishBatchRequestEntries=entries)
    client.meta.events.unregister("before-send.sns", catch)
    [body] = bodies
    text = body.decode("ascii") if isinstance(body, bytes) else body
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True)


CLIENTS = topic_client(**ACCESS), boto3.client("sns", **ACCESS)  # type: ignore[call-overload]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ENTRIES = st.lists(
    st.tuples(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3)), min_size=1, max_size=10
)


@given(ENTRIES)
def test_it_is_what_botocore_sends(messages: list[tuple[str, dict[str, str]]]) -> None:
    entries = [
        {
            "Id": str(place),
            "Message": message,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }
        for place, (message, attributes) in enumerate(messages)
    ]
    ours, plain = (sent(client, entries) for client in CLIENTS)
    assert sorted(ours) == sorted(plain)


def test_without_the_first_of_its_events_botocore_writes_the_form() -> None:
    client = boto3.client("sns", **ACCESS)  # type: ignore[call-overload]

    def register(event: str, handler: Any) -> None:
        if event.startswith("before-call"):
            client.meta.events.register(event, handler)

    write_at_once(SimpleNamespace(meta=SimpleNamespace(events=SimpleNamespace(register=register))))  # type: ignore[arg-type]
    entries = [{"Id": "0", "Message": "m", "MessageAttributes": {}}]
    assert sorted(sent(client, entries)) == sorted(sent(CLIENTS[1], entries))
