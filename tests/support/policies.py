"""Decisions on policies, by the evaluator of MiniStack: it runs in MiniStack's environment."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from local.places import ROOT

_MINISTACK_PYTHON = ROOT / ".tools/ministack/bin/python"

_EVALUATE = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.services.s3 import _policy_is_public
policy, requests = json.load(sys.stdin)
answers = []
for one in requests:
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{one['account']}:role/reader",
        principal_type="AssumedRole",
        principal_account=one["account"],
        action=one["action"],
        resource_arn=one["resource"],
        region="eu-west-2",
        source_ip="203.0.113.7",
        secure_transport=one["is_encrypted"],
        principal_keys={"aws:principalorgid": one["organization"]},
        service_context=one["context"],
    )
    answers.append(evaluate_resource_policy(policy, context).decision)
print(json.dumps({"is_public": _policy_is_public(json.dumps(policy)), "decisions": answers}))
"""


@dataclass(frozen=True)
class ResourceRequest:
    """A role of some account asks for an action on a resource, whose policy decides."""

    account: str
    action: str
    resource: str
    organization: str | None = None
    is_encrypted: bool = True
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """``decisions`` are ``Allow``, ``Deny`` or ``ImplicitDeny``, one a request.

    ``is_public`` is what Block Public Access of S3 would make of the policy.
    """

    is_public: bool
    decisions: tuple[str, ...]


def judge(policy: Mapping[str, Any], requests: Sequence[ResourceRequest]) -> Judgement:
    """Evaluate a resource's policy alone. Another account also needs a policy of its own."""
    done = subprocess.run(  # noqa: S603  # MiniStack's interpreter and a program of this module
        [_MINISTACK_PYTHON, "-c", _EVALUATE],
        input=json.dumps([policy, [asdict(one) for one in requests]]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return Judgement(answer["is_public"], tuple(answer["decisions"]))
