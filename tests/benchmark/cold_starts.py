"""Cold starts: the CPU time of a function from the interpreter's start to built clients.

Each runs as deployed: the built layer and the function's folder are all that is on the path. An AWS
stub answers with the secret, which a function reads when it builds its clients.
"""

import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from local.places import TOOLS
from local.stack.build import build
from tests.benchmark.processes import AWS, ROOT, serving
from tests.benchmark.report import Bar, Section, Spread

SETTINGS = {
    "CPD_ENVIRONMENT": "production",
    "CPD_AUTHENTICATION": "basic",
    "CPD_SECRET_ARN": "arn:aws:secretsmanager:eu-west-2:123456789012:secret:credentials",
    "CPD_TIMELINE_TABLE": "timeline",
    "CPD_QUEUE_URL": "https://sqs.eu-west-2.amazonaws.com/123456789012/work",
    "CPD_WORKER_TIMEOUT_SECONDS": "300",
    "CPD_WORKER_CONCURRENCY": "4",
    "CPD_FIRST_DATE": "2000-01-01",
    "CPD_SETTLE_SECONDS": "120",
    "CPD_LAKE_BUCKET": "lake",
    "CPD_TOPIC_ARN": "arn:aws:sns:eu-west-2:123456789012:notifications",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_METRICS_NAMESPACE": "CpdExporter",
}

SERVICES = {
    "planner": ("secretsmanager", "dynamodb", "sqs", "s3"),
    "worker": ("secretsmanager", "dynamodb", "s3", "sns", "sqs"),
}

EMPTY = "def handler(event, context): pass"

CLIENTS = """
import boto3
try:
    from httpx import Client
except ImportError:
    from urllib3 import PoolManager as Client
session = boto3.Session()
clients = [session.client(service) for service in {services!r}]
http = Client()
clients[0].get_secret_value(SecretId="credentials")
"""

FUNCTION = """
import app
from cpd_exporter import bootstrap
bootstrap.{name}()
"""


def measure_cold_starts(*, rounds: int) -> Section:
    """Start everything once a round."""
    built = build().parent
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    with serving("-m", "tests.benchmark.aws_stub") as aws:
        programs = {"empty": (EMPTY, "planner")}
        for name, services in SERVICES.items():
            programs[f"{name}'s clients"] = (CLIENTS.format(services=services), name)
            programs[name] = (FUNCTION.format(name=name), name)
        for lap in range(rounds + 1):
            for title, (program, function) in programs.items():
                took = _start(program, built, function, {"AWS_ENDPOINT_URL": aws})
                if lap:  # the first one fills the machine's file cache
                    seconds[title].append(1000 * took)
    spreads = {title: Spread(tuple(values)) for title, values in seconds.items()}
    ratios = {name: spreads[name].over(spreads[f"{name}'s clients"]).median for name in SERVICES}
    titles = {
        "empty": "an empty handler",
        **{f"{name}'s clients": f"a handler with the {name}'s clients" for name in SERVICES},
        **{name: f"the {name}" for name in SERVICES},
    }
    return Section(
        title="Cold start: ms of CPU, median and range, and the ratio to an empty handler",
        columns=("", "ms", "x empty"),
        rows=[
            (text, str(spreads[title]), f"{spreads[title].over(spreads['empty']).median:.3g}")
            for title, text in titles.items()
        ],
        members={
            "coldStartRatio": {name: round(ratio, 3) for name, ratio in ratios.items()},
            "coldStartMillis": {title: round(one.median) for title, one in spreads.items()},
        },
        bars=[
            Bar(f"cold start of the {name} ÷ the same clients", ratio, 1.6)
            for name, ratio in ratios.items()
        ],
    )


def _start(program: str, built: Path, function: str, variables: Mapping[str, str]) -> float:
    """The CPU seconds of one start."""
    folders = [built / "ExporterLayer/python", built / f"{function.capitalize()}Function"]
    with subprocess.Popen(  # noqa: S603  # the project's own programs
        [str(TOOLS / "python/bin/python"), "-B", "-c", program],
        cwd=ROOT,
        env=AWS | SETTINGS | dict(variables) | {"PYTHONPATH": ":".join(map(str, folders))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the program for {function} ended with {process.returncode}: {program}")
    return usage.ru_utime + usage.ru_stime
