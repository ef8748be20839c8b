"""The form of a call to SNS: as urllib would encode it, and only once."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.adapters.aws.form import encode_once, encoded
from cpd_exporter.adapters.aws.topic import topic_client


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9.]{1,20}", fullmatch=True), st.text()))
def test_it_is_what_urllib_encodes(form: dict[str, str]) -> None:
    assert encoded(form) == urlencode(form).encode()


@pytest.mark.parametrize("length", [99, 100, 5000])
def test_long_values_are_encoded_alike(length: int) -> None:
    every = "".join(map(chr, range(0x20, 0x250))) + "\u2028👍"
    value = (every * 10)[:length]
    assert encoded({"Message": value}) == urlencode({"Message": value}).encode()
    assert encoded({"Message": f"{value}\n"}) == urlencode({"Message": f"{value}\n"}).encode()


def test_a_body_that_is_no_form_is_left_alone() -> None:
    params: dict[str, Any] = {"body": b"bytes"}
    encode_once(params, model=None)
    assert params == {"body": b"bytes"}


def test_the_topics_client_sends_a_form_of_bytes() -> None:
    sent: list[Any] = []

    class RefusedError(Exception):
        """The request goes no further."""

    def catch(request: Any, **_: Any) -> None:
        sent.append(request.body)
        raise RefusedError

    client = topic_client(
        region_name="eu-west-2", aws_access_key_id="id", aws_secret_access_key="key"
    )
    client.meta.events.register("before-send.sns", catch)
    with pytest.raises(RefusedError):
        client.publish_batch(
            TopicArn="arn", PublishBatchRequestEntries=[{"Id": "0", "Message": "{é}"}]
        )
    [body] = sent
    assert b"&PublishBatchRequestEntries.member.1.Message=%7B%C3%A9%7D" in body
    assert b"Action=PublishBatch" in body
