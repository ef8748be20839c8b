"""Made-up commands and messages."""

REPLAY = {
    "command": "replay",
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-02-01T00:00:00Z",
    "subscribers": "all",
}


def queue_arn(name: str, *, partition: str = "aws", region: str = "eu-west-2") -> str:
    return f"arn:{partition}:sqs:{region}:123456789012:{name}"
