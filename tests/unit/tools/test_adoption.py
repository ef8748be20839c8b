"""The import that lets a new stack take over the stores of a deleted one."""

import json
from typing import Any

from local.stack.template import template
from tools.adoption import change_set

REQUEST = change_set("new", "table", "lake", "arn:aws:sns:eu-west-2:123456789012:topic")
RESOURCES: dict[str, Any] = json.loads(REQUEST["TemplateBody"])["Resources"]


def test_each_store_with_history_is_taken_over() -> None:
    imported = {
        one["LogicalResourceId"]: one["ResourceIdentifier"] for one in REQUEST["ResourcesToImport"]
    }
    assert (
        imported.keys()
        == RESOURCES.keys()
        == {
            "LakeBucket",
            "NotificationsTopic",
            "TimelineTable",
        }
    )
    # CloudFormation imports only what the template retains.
    assert all(one["DeletionPolicy"].startswith("Retain") for one in RESOURCES.values())


def test_the_import_states_all_that_would_replace_a_table() -> None:
    """A deployment that finds another key or index than the import stated makes a new table."""
    stated = RESOURCES["TimelineTable"]["Properties"]
    properties = template()["Resources"]["TimelineTable"]["Properties"]
    changeable = {
        "DeletionProtectionEnabled",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
    }
    assert stated == {key: value for key, value in properties.items() if key not in changeable}


def test_the_import_needs_no_parameter() -> None:
    assert "Fn::" not in REQUEST["TemplateBody"]
    assert "Ref" not in json.dumps(list(RESOURCES.values()))
