"""Prints the input of an import: a new stack takes over the stores of one that was deleted.

CloudFormation's import creates nothing, so the stack begins with the stores alone, and `sam deploy`
adds the rest; docs/operations.md has all steps. The import states only what cannot change later. So
the deployment that follows sets everything else, which a restored table, for one, does not have.
"""

import argparse
import json
from typing import Any

from local.stack.template import template

STATED = {
    "TimelineTable": (
        "AttributeDefinitions",
        "BillingMode",
        "KeySchema",
        "LocalSecondaryIndexes",
    ),
    "LakeBucket": (),
    "NotificationsTopic": (),
}
"""The stores, and the properties that an import states."""


def main() -> None:
    """Print JSON for `aws cloudformation create-change-set --cli-input-json`."""
    arguments = argparse.ArgumentParser(prog="python -m tools.adoption", description=__doc__)
    for name in ("stack-name", "table", "bucket", "topic"):
        arguments.add_argument(f"--{name}", required=True)
    given = arguments.parse_args()
    print(
        json.dumps(change_set(given.stack_name, given.table, given.bucket, given.topic), indent=1)
    )


def change_set(stack_name: str, table: str, bucket: str, topic_arn: str) -> dict[str, Any]:
    """Return the request for a change set that imports the three stores into a new stack."""
    identifiers = {
        "TimelineTable": {"TableName": table},
        "LakeBucket": {"BucketName": bucket},
        "NotificationsTopic": {"TopicArn": topic_arn},
    }
    resources = {name: store(name, properties) for name, properties in STATED.items()}
    return {
        "StackName": stack_name,
        "ChangeSetName": "adopt",
        "ChangeSetType": "IMPORT",
        "TemplateBody": json.dumps({"Resources": resources}),
        "ResourcesToImport": [
            {
                "ResourceType": resources[name]["Type"],
                "LogicalResourceId": name,
                "ResourceIdentifier": identifier,
            }
            for name, identifier in identifiers.items()
        ],
    }


def store(name: str, stated: tuple[str, ...]) -> dict[str, Any]:
    """Return a store as the template has it, with the stated properties only."""
    resource = template()["Resources"][name]
    return {
        "Type": resource["Type"],
        "DeletionPolicy": resource["DeletionPolicy"],
        "UpdateReplacePolicy": resource["UpdateReplacePolicy"],
        "Properties": {key: resource["Properties"][key] for key in stated},
    }


if __name__ == "__main__":
    main()
