"""The lake's tables and queries in the template are those of its contract and its files."""

import json
import re
from typing import Any

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
    (workgroup,) = of_type("AWS::Athena::WorkGroup")
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
        "Glue::Table",
        "Glue::TableOptimizer",
        "Glue::TableOptimizer",
        "IAM::Role",
        "IAM::Role",
        "Scheduler::Schedule",
    ]
    for name, one in RESOURCES.items():
        if name not in names:
            assert not [other for other in names if f"'{other}'" in str(one)], name


def test_the_schedule_runs_the_merge_in_the_lakes_workgroup() -> None:
    target = RESOURCES["CurrentTableMerge"]["Properties"]["Target"]
    assert target["Arn"]["Fn::Sub"].endswith(":aws-sdk:athena:startQueryExecution")
    sent = json.loads(target["Input"]["Fn::Sub"])
    assert sent["WorkGroup"] == "${LakeWorkgroup}"
    assert sent["QueryExecutionContext"] == {"Database": "${LakeDatabase}"}
    assert len(sent["ClientRequestToken"].partition("<")[0]) >= 32  # what Athena wants
    *_, statement = (QUERIES / "merge-current-table.sql").read_text().partition("MERGE")
    assert sent["QueryString"].split() == f"MERGE{statement}".split()
