"""The form of ``PublishBatch``, written at once.

botocore walks its model for each of some 150 values of a batch, then encodes the form with urllib,
to sign it and again to send it: more than half of the time of publishing. Two of its events lead
the entries past that.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

_ENTRIES = "PublishBatchRequestEntries"


def write_at_once(client: "SNSClient") -> None:
    """Let the client's ``publish_batch`` write its form here.

    It knows digits as IDs, and attributes of texts: the exporter sends nothing else.
    """
    # The stubs do not know that a handler of this event may return other parameters.
    client.meta.events.register("provide-client-params.sns.PublishBatch", _take_entries)  # type: ignore[arg-type]
    client.meta.events.register("before-call.sns.PublishBatch", _write_form)


def _take_entries(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    context[_ENTRIES] = params[_ENTRIES]
    return params | {_ENTRIES: []}


def _write_form(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    entries = context.pop(_ENTRIES, None)
    if entries is None:
        return  # botocore no longer asks the first handler, and has walked the entries itself
    form = params["body"]
    del form[_ENTRIES]
    fields = [f"{name}={_encoded(value)}" for name, value in form.items()]
    params["body"] = "&".join([*fields, *_fields(entries)]).encode("ascii")


def _fields(entries: "Sequence[PublishBatchRequestEntryTypeDef]") -> Iterator[str]:
    for place, entry in enumerate(entries, start=1):
        name = f"{_ENTRIES}.member.{place}"
        yield f"{name}.Id={entry['Id']}"
        yield f"{name}.Message={_encoded(entry['Message'])}"
        for number, (attribute, given) in enumerate(entry["MessageAttributes"].items(), start=1):
            item = f"{name}.MessageAttributes.entry.{number}"
            yield f"{item}.Name={_encoded(attribute)}"
            yield f"{item}.Value.DataType={given['DataType']}"
            yield f"{item}.Value.StringValue={_encoded(given['StringValue'])}"


def _encoded(value: str) -> str:
    # To encode every byte takes a tenth of the time of leaving out those that need it not.
    return f"%{value.encode().hex('%')}" if value else ""
