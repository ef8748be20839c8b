"""Publishes the worker's messages by plain boto3, ten a call.

Arguments: the topic's URL, and the file with the events.
"""

import json
import sys
import time
from itertools import batched
from pathlib import Path
from typing import Any

import boto3

TOPIC_ARN = "arn:aws:sns:eu-west-2:123456789012:notifications"


def main(topic_url: str, events: str) -> dict[str, float]:
    """Returns the messages and the CPU seconds of all calls but the first."""
    messages = [json.loads(line) for line in Path(events).read_text().splitlines()]
    client = boto3.client("sns", endpoint_url=topic_url)
    calls = batched(messages, 10, strict=False)
    began = 0.0
    published = -10
    for batch in calls:
        client.publish_batch(
            TopicArn=TOPIC_ARN,
            PublishBatchRequestEntries=[_entry(str(n), one) for n, one in enumerate(batch)],
        )
        published += len(batch)
        began = began or time.process_time()
    return {"entries": published, "cpuSeconds": time.process_time() - began}


def _entry(name: str, message: dict[str, Any]) -> Any:
    attributes = {
        attribute: {"DataType": "String", "StringValue": value}
        for attribute, value in message["attributes"].items()
    }
    return {"Id": name, "Message": message["body"], "MessageAttributes": attributes}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
