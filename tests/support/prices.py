"""AWS list prices of us-east-1 in US dollars, without any free tier."""

from collections.abc import Mapping

PER_UNIT: Mapping[str, float] = {
    # Each from the service's own price page; on demand, and arm64 for Lambda.
    "lambda.invocations": 0.20e-6,
    "lambda.gigabyteSeconds": 13.3334e-6,
    "dynamodb.writeUnits": 0.625e-6,
    "dynamodb.readUnits": 0.125e-6,
    "s3.puts": 5e-6,
    "s3.gets": 0.4e-6,
    "sns.requests": 0.50e-6,
    "sqs.requests": 0.40e-6,
    "scheduler.invocations": 1.00e-6,
    "kms.requests": 3e-6,
    "logs.gigabytes": 0.50,
    "metrics.months": 0.30,
    "alarms.months": 0.10,
    "secrets.months": 0.40,
}
"""A price for each unit that is metered."""

POLLER_REQUESTS_A_DAY = 5 * 86_400 / 20
"""Five pollers of an event source mapping wait 20 seconds in each request, even when idle."""


def cost(units: Mapping[str, float]) -> dict[str, float]:
    """Dollars by service."""
    dollars: dict[str, float] = {}
    for unit, amount in units.items():
        service = unit.partition(".")[0]
        dollars[service] = dollars.get(service, 0.0) + amount * PER_UNIT[unit]
    return dollars
