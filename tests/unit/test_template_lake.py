"""The lake's tables and queries in the template are those of its contract and its files."""

import hashlib
import json
import re
from typing import Any

import pytest
import yaml

from cpd_exporter.model.entry import DocumentedEntry
from local.places import ROOT
from local.stack.template import template
from tools.queries import QUERIES, rewritten

RESOURCES = template()["Resources"]
ATHENA = {
    "VARCHAR": "string",
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    'STRUCT("type" VARCHAR, "name" VARCHAR)': "struct<type:string,name:string>",
    'STRUCT("categoryId" VARCHAR, "name" VARCHAR)': "struct<categoryid:string,name:string>",
    "VARCHAR[]": "array<string>",
}


PROJECTED = ("EntriesTable", "EntryLinesTable")


def contract() -> list[dict[str, Any]]:
    (table,) = yaml.safe_load((ROOT / "lake/contract.yaml").read_text())["schema"]
    properties: list[dict[str, Any]] = table["properties"]
    return properties


CREATED = "d0f83a7ac4677250cfb10e776bd81caf2ea9484fb83243c635de179591f26587"


def of_type(kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in RESOURCES.values() if one["Type"] == kind]


def test_the_table_has_the_columns_of_the_contract() -> None:
    table = RESOURCES["EntriesTable"]["Properties"]["TableInput"]
    declared = {one["Name"]: one["Type"] for one in table["StorageDescriptor"]["Columns"]}
    assert declared == {one["name"].lower(): ATHENA[one["physicalType"]] for one in contract()}
    serde = table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert serde == "org.apache.hive.hcatalog.data.JsonSerDe"


def test_the_contract_has_every_documented_member_and_the_page_every_column() -> None:
    of_the_api = [one["name"] for one in contract() if "From the API." in one["description"]]
    assert sorted(of_the_api) == sorted(DocumentedEntry.__struct_encode_fields__)
    page = (ROOT / "docs/lake.md").read_text()
    assert re.findall(r"^\| `(\w+)` \| ", page.partition("## Athena")[0], re.MULTILINE) == [
        one["name"] for one in contract()
    ]


def test_both_tables_project_every_month_that_may_hold_entries() -> None:
    tables = [RESOURCES[name]["Properties"]["TableInput"] for name in PROJECTED]
    for table in tables:
        settings = table["Parameters"]
        assert settings["projection.entry_month.range"] == "1970-01,NOW"
        assert settings["projection.entry_month.format"] == "yyyy-MM"
        location = settings["storage.location.template"]["Fn::Sub"]
        assert location == "s3://${LakeBucket}/entries/entry_month=${!entry_month}/"


def test_the_queries_are_those_of_the_files() -> None:
    text = (ROOT / "template.yaml").read_text()
    assert rewritten(text) == text  # else: python -m tools.queries
    named = {one["Name"]: one["QueryString"] for one in of_type("AWS::Athena::NamedQuery")}
    assert named == {path.stem: path.read_text() for path in QUERIES.glob("*.sql")}


def test_results_are_encrypted_and_a_query_scans_a_bounded_amount() -> None:
    for workgroup in of_type("AWS::Athena::WorkGroup"):
        settings = workgroup["WorkGroupConfiguration"]
        assert settings["EnforceWorkGroupConfiguration"]
        assert settings["BytesScannedCutoffPerQuery"] == 100 * 2**30
        result = settings["ResultConfiguration"]
        assert result["EncryptionConfiguration"]["Fn::If"][1]["EncryptionOption"] == "SSE_KMS"
        assert result["EncryptionConfiguration"]["Fn::If"][2]["EncryptionOption"] == "SSE_S3"
        assert "/query-results/" in result["OutputLocation"]["Fn::Sub"]


def test_loaders_hear_of_objects_by_eventbridge() -> None:
    bucket = RESOURCES["LakeBucket"]["Properties"]
    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_a_table_of_the_current_state_is_kept_if_a_schedule_is_named() -> None:
    names = [name for name, one in RESOURCES.items() if one.get("Condition") == "KeepsCurrentTable"]
    kinds = sorted(RESOURCES[name]["Type"].removeprefix("AWS::") for name in names)
    assert kinds == [
        "Athena::NamedQuery",
        "Athena::WorkGroup",
        "CloudWatch::Alarm",
        "Glue::Table",
        "IAM::Role",
        "Scheduler::Schedule",
        "Scheduler::Schedule",
        "Scheduler::Schedule",
    ]
    for name, one in RESOURCES.items():
        if name not in names:
            assert not [other for other in names if f"'{other}'" in str(one)], name


SCHEDULES = {
    "CurrentTableMerge": "${CurrentTableWorkgroup}",
    "CurrentTableCompaction": "${LakeWorkgroup}",
    "CurrentTableExpiry": "${LakeWorkgroup}",
}


@pytest.mark.parametrize(("name", "workgroup"), SCHEDULES.items())
def test_a_schedule_starts_its_query_once(name: str, workgroup: str) -> None:
    resource = RESOURCES[name]
    assert resource["DependsOn"] == "CurrentEntriesTable"
    target = resource["Properties"]["Target"]
    assert target["Arn"]["Fn::Sub"].endswith(":aws-sdk:athena:startQueryExecution")
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 900
    sent = json.loads(target["Input"]["Fn::Sub"])
    assert sent["WorkGroup"] == workgroup
    assert sent["QueryExecutionContext"] == {"Database": "${LakeDatabase}"}
    # Athena wants 32 to 128 characters. The time makes a repeated start the same start.
    for stack in ("a", "a" * 80):
        token = sent["ClientRequestToken"].replace("${AWS::StackName}", stack)
        filled = token.replace("<aws.scheduler.scheduled-time>", "2026-03-01T12:00:00Z")
        assert 32 <= len(filled) <= 128
        assert "<" not in filled


def test_the_alarm_counts_merges_and_nothing_else() -> None:
    alarm = RESOURCES["CurrentTableAlarm"]["Properties"]
    [workgroup] = [one["Value"] for one in alarm["Dimensions"] if one["Name"] == "WorkGroup"]
    assert workgroup == {"Ref": "CurrentTableWorkgroup"}
    settings = RESOURCES["CurrentTableWorkgroup"]["Properties"]["WorkGroupConfiguration"]
    assert settings["PublishCloudWatchMetricsEnabled"] is True
    assert alarm["TreatMissingData"] == "breaching"


def test_the_table_is_as_it_was_created() -> None:
    # An update by CloudFormation would write over where Iceberg's metadata is.
    table = json.dumps(RESOURCES["CurrentEntriesTable"], sort_keys=True)
    assert hashlib.sha256(table.encode()).hexdigest() == CREATED


def test_the_schedule_runs_the_merge() -> None:
    sent = json.loads(RESOURCES["CurrentTableMerge"]["Properties"]["Target"]["Input"]["Fn::Sub"])
    *_, statement = (QUERIES / "merge-current-table.sql").read_text().partition("MERGE")
    assert sent["QueryString"].split() == f"MERGE{statement}".split()
