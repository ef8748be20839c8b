"""Who may do what in the lake, by the bucket's policy: MiniStack's evaluator judges requests."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from local.places import TOOLS
from local.stack.template import template

ACCOUNT = "123456789012"
BUCKET = "arn:aws:s3:::lake"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/worker"
PLANNER = f"arn:aws:iam::{ACCOUNT}:role/planner"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/operator"
ARNS = {"LakeBucket": BUCKET, "WorkerRole": WORKER, "PlannerRole": PLANNER}

NOTHING_SAID: Mapping[str, str] = {}
CREATES = {"s3:ObjectCreationOperation": "true"}
NOTHING_THERE = {"s3:if-none-match": "*"}

_JUDGE = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
policy, requests = json.load(sys.stdin)
print(json.dumps([
    evaluate_resource_policy(policy, EvalContext(
        principal_arn=who, principal_type="AssumedRole", principal_account="123456789012",
        action=action, resource_arn=resource, region="eu-west-2", source_ip="203.0.113.1",
        secure_transport=tls, service_context=context,
    )).matched_sid
    for who, action, resource, tls, context in requests
]))
"""


def resolved(value: Any) -> Any:
    match value:
        case {"Fn::GetAtt": [name, "Arn"]}:
            return ARNS[name]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(map(resolved, parts))
        case {"Fn::Sub": text}:
            return text.replace("${LakeBucket.Arn}", BUCKET)
        case dict():
            return {key: resolved(inner) for key, inner in value.items()}
        case list():
            return [resolved(inner) for inner in value]
    return value


def denied_by(
    who: str, action: str, key: str, context: Mapping[str, str] = NOTHING_SAID, *, tls: bool = True
) -> str:
    """The statement that denies a request, or an empty text."""
    document = template()["Resources"]["LakeBucketPolicy"]["Properties"]["PolicyDocument"]
    # The evaluator looks keys up in small letters.
    said = {name.lower(): value for name, value in context.items()}
    request = [who, f"s3:{action}", f"{BUCKET}/{key}", tls, said]
    done = subprocess.run(
        [TOOLS / "ministack/bin/python", "-c", _JUDGE],
        input=json.dumps([resolved(document), [request]]),
        capture_output=True,
        text=True,
        check=True,
    )
    (sid,) = json.loads(done.stdout)
    return str(sid)


ROWS = "entries/entry_month=2026-01/a.jsonl.gz"


def test_a_write_says_that_it_replaces_nothing() -> None:
    assert denied_by(WORKER, "PutObject", ROWS, CREATES | NOTHING_THERE) == ""
    for who in (WORKER, OPERATOR):
        assert denied_by(who, "PutObject", ROWS, CREATES) == "WriteRowsOnce"


def test_the_parts_of_a_large_upload_need_no_such_header() -> None:
    part = {"s3:ObjectCreationOperation": "false"}
    assert denied_by(OPERATOR, "PutObject", ROWS, part) == ""


@pytest.mark.parametrize("action", ["DeleteObject", "DeleteObjectVersion"])
@pytest.mark.parametrize("who", [WORKER, PLANNER])
def test_no_function_deletes_rows(who: str, action: str) -> None:
    assert denied_by(who, action, ROWS) == "KeepRows"
    assert denied_by(who, action, "index/a.jsonl.gz") == ""


def test_an_operator_may_erase_a_persons_rows() -> None:
    assert denied_by(OPERATOR, "DeleteObject", ROWS) == ""
    assert denied_by(OPERATOR, "DeleteObjectVersion", ROWS) == ""


def test_clear_text_is_denied_to_everybody() -> None:
    assert denied_by(OPERATOR, "GetObject", ROWS, tls=False) == "TlsOnly"
