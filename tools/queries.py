"""Writes the queries under ``lake/queries`` into the template, as named queries of Athena.

``python -m tools.queries`` rewrites the part of the template between two marks. A template can hold
the text of a query only itself, and a file can be run, tested and read. One query has a schedule
too, which calls Athena without any code in between.
"""

from pathlib import Path

from local.places import ROOT

QUERIES = ROOT / "lake/queries"
TEMPLATE = ROOT / "template.yaml"
BEGIN = "  # ---- Queries of the lake: `python -m tools.queries` writes them from lake/queries\n"
END = "  # ---- End of the queries\n"
SCHEDULED = "merge-current-table"
CONDITION = "    Condition: KeepsCurrentTable\n"
SCHEDULE = f"""
  CurrentTableMerge:
    Type: AWS::Scheduler::Schedule
{CONDITION}    DependsOn: CurrentEntriesTable
    Properties:
      Description: Brings the Iceberg table of the current state up to date.
      ScheduleExpression: !Ref CurrentTableSchedule
      State: !Ref ScheduleState
      FlexibleTimeWindow: {{ Mode: "OFF" }}
      Target:
        Arn: !Sub arn:${{AWS::Partition}}:scheduler:::aws-sdk:athena:startQueryExecution
        RoleArn: !GetAtt CurrentTableRole.Arn
        RetryPolicy: {{ MaximumEventAgeInSeconds: 900, MaximumRetryAttempts: 3 }}
        # The token has the time, so that a repeated start is no second merge beside the first.
        Input: !Sub >-
          {{"WorkGroup": "${{CurrentTableWorkgroup}}",
          "QueryExecutionContext": {{"Database": "${{LakeDatabase}}"}},
          "ClientRequestToken":
          "cpd-exporter-merge-${{AWS::StackName}}-<aws.scheduler.scheduled-time>",
          "QueryString": "
"""


def rewritten(template: str) -> str:
    """The template's text with the queries as their files are."""
    head, _, rest = template.partition(BEGIN)
    _, _, tail = rest.partition(END)
    parts = [_resource(path) for path in sorted(QUERIES.glob("*.sql"))]
    return "".join([head, BEGIN, *(f"\n{part}" for part in parts), _schedule(), "\n", END, tail])


def _resource(path: Path) -> str:
    name = "".join(word.capitalize() for word in path.stem.split("-"))
    sql = path.read_text()
    first = sql.splitlines()[0].removeprefix("-- ")
    lines = "".join(f"        {line}\n" if line else "\n" for line in sql.splitlines())
    return (
        f"  {name}Query:\n"
        "    Type: AWS::Athena::NamedQuery\n"
        f"{CONDITION if path.stem == SCHEDULED else ''}"
        "    Properties:\n"
        f"      Name: {path.stem}\n"
        "      Description: >-\n"
        f"        {first}\n"
        "      Database: !Ref LakeDatabase\n"
        "      WorkGroup: !Ref LakeWorkgroup\n"
        "      QueryString: |\n"
        f"{lines}"
    )


def _schedule() -> str:
    """The schedule's resource. Its input is JSON, whose one text is the query in one line."""
    lines = (QUERIES / f"{SCHEDULED}.sql").read_text().splitlines()
    statement = [line.strip() for line in lines if not line.startswith("--")]
    return SCHEDULE + "".join(f"          {line}\n" for line in [*statement, '"}'])


if __name__ == "__main__":
    TEMPLATE.write_text(rewritten(TEMPLATE.read_text()))
