"""Other accounts: what the policies of topic and bucket let them do, and what not."""

import pytest

from tests.support.policies import Judgement, ResourceRequest, judge
from tests.support.resolved import ResolvedTemplate

NAMED, ALSO_NAMED, STRANGER = "222222222222", "333333333333", "444444444444"
OURS, THEIRS = "o-a1b2c3d4e5", "o-zzzzzzzzzz"
BOTH = {"ReaderAccounts": f"{NAMED},{ALSO_NAMED}", "ReaderOrganization": OURS}

READERS = ((NAMED, None), (ALSO_NAMED, THEIRS), (STRANGER, OURS))
OTHERS = ((STRANGER, None), (STRANGER, THEIRS))

type Asked = tuple[str, str, dict[str, str]]

BUCKET, TOPIC = "LakeBucket.Arn", "NotificationsTopic"
SUBSCRIBE: Asked = ("sns:Subscribe", TOPIC, {})
READ: Asked = ("s3:GetObject", f"{BUCKET}/entries/entry_month=2026-01/x.jsonl.gz", {})
PROGRESS: Asked = ("s3:GetObject", f"{BUCKET}/progress.json", {})
LIST: Asked = ("s3:ListBucket", BUCKET, {"s3:prefix": "entries/"})
MORE: tuple[Asked, ...] = (
    ("sns:Publish", TOPIC, {}),
    ("sns:SetTopicAttributes", TOPIC, {}),
    ("sns:AddPermission", TOPIC, {}),
    ("s3:PutObject", READ[1], {}),
    ("s3:DeleteObject", READ[1], {}),
    ("s3:GetObject", f"{BUCKET}/index/x.jsonl.gz", {}),
    ("s3:GetObject", f"{BUCKET}/quarantine/x", {}),
    ("s3:GetObject", f"{BUCKET}/readings/x", {}),
    ("s3:GetObject", f"{BUCKET}/reports/x.json", {}),
    ("s3:ListBucket", BUCKET, {"s3:prefix": "quarantine/"}),
    ("s3:ListBucket", BUCKET, {}),
)


def judged(
    parameters: dict[str, str], readers: tuple[tuple[str, str | None], ...], *asked: Asked,
    is_encrypted: bool = True,
) -> Judgement:  # fmt: skip
    """Let each reader ask for each action on the bucket or the topic."""
    stack = ResolvedTemplate(parameters)
    policies = {
        "s3": stack.resources["LakeBucketPolicy"]["Properties"]["PolicyDocument"],
        "sns": stack.resources["NotificationsTopicPolicy"]["Properties"]["PolicyDocument"],
    }
    answers = [
        judge(
            policies[service],
            [
                ResourceRequest(account, action, resource, organization, is_encrypted, context)
                for action, resource, context in asked
                if action.startswith(f"{service}:")
                for account, organization in readers
            ],
        )
        for service in policies
    ]
    lake, topic = answers
    return Judgement(lake.is_public, lake.decisions + topic.decisions)


def test_named_accounts_and_an_organisation_subscribe_and_read_entries() -> None:
    answer = judged(BOTH, READERS, SUBSCRIBE, READ, PROGRESS, LIST)
    assert answer.decisions == ("Allow",) * 12


def test_they_get_nothing_else() -> None:
    answer = judged(BOTH, READERS, *MORE)
    assert set(answer.decisions) == {"ImplicitDeny"}


def test_nobody_else_gets_anything() -> None:
    answer = judged(BOTH, OTHERS, SUBSCRIBE, READ, PROGRESS, LIST, *MORE)
    assert set(answer.decisions) == {"ImplicitDeny"}


@pytest.mark.parametrize("parameters", [{}, {"ReaderOrganization": THEIRS}])
def test_without_the_parameters_nobody_gets_anything(parameters: dict[str, str]) -> None:
    answer = judged(parameters, ((NAMED, None), (STRANGER, OURS)), SUBSCRIBE, READ, LIST, *MORE)
    assert set(answer.decisions) == {"ImplicitDeny"}


def test_not_even_readers_get_anything_in_clear_text() -> None:
    answer = judged(BOTH, READERS, READ, LIST, is_encrypted=False)
    assert set(answer.decisions) == {"Deny"}


def test_the_bucket_is_not_public_whoever_reads_it() -> None:
    # Otherwise Block Public Access would refuse the policy, and the deployment with it.
    for parameters in ({}, BOTH):
        assert not judged(parameters, READERS, READ).is_public
