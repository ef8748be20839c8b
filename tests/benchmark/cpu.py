"""A worker's CPU time per entry, by stage, beside that of other tools on the same entries."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulator.access import Credentials
from tests.benchmark.environments import python_of
from tests.benchmark.processes import result_of, serving
from tests.benchmark.report import Bar, Section, Spread
from tests.benchmark.stopwatch import STAGES

STORE_STAGES = ("handler", "download", "read", "encode")
PUBLISH_STAGES = ("events", "publish")
DAYS = 548
ACCESS = (Credentials().tenant_id, Credentials().api_secret)

PEERS = {
    "httpx": ("loops", "httpx_loop", "httpx, json and gzip, one page after the other"),
    "orjson": ("loops", "orjson_loop", "urllib3, orjson and zlib level 1, four threads"),
    "dlt": ("dlt", "dlt_load", "dlt, into gzipped JSON lines"),
    "singer": ("singer", "singer_sync", "Singer SDK, a tap without a target"),
}

MEMBERS = {
    "httpx": "httpxLoopMicrosPerEntry",
    "orjson": "orjsonLoopMicrosPerEntry",
    "dlt": "dltMicrosPerEntry",
    "singer": "singerMicrosPerEntry",
}

type Measure = Callable[[], dict[str, float]]
"""One run; returns microseconds per entry by figure."""


def measure_cpu(*, rounds: int, entries: int, published: int) -> Section:
    """Measure in rounds: each runs everything once, so that a noisy minute strikes all alike.

    Publishing takes the most CPU: ``published`` entries are enough for it.
    """
    micros: defaultdict[str, list[float]] = defaultdict(list)
    with (
        TemporaryDirectory() as folder,
        serving("-m", "simulator", "--entries", entries, "--days", DAYS) as api,
        serving("-m", "tests.benchmark.aws_stub") as topic,
    ):
        peers = _peers(api)
        measures = _measures(api, topic, Path(folder), published)
        for _ in range(rounds):
            for run in [*measures, *peers.values()]:
                for figure, value in run().items():
                    micros[figure].append(value)
    skipped = [
        f"{name} is skipped: its environment cannot be installed here"
        for name in PEERS.keys() - peers.keys()
    ]
    return _section({name: Spread(tuple(values)) for name, values in micros.items()}, skipped)


def _measures(api: str, topic: str, folder: Path, published: int) -> list[Measure]:
    """The worker's runs, and those that do the same calls. A rehearsal notes these calls."""
    requests, events = folder / "requests", folder / "events"
    first = (datetime.now(UTC) - timedelta(days=DAYS + 1)).replace(microsecond=0)

    def worker(*arguments: object) -> dict[str, Any]:
        names = ("--api", api, "--first", first.isoformat(), *arguments)
        return result_of(("-m", "tests.benchmark.worker_run", *names))

    rehearsed = worker("--most", published, "--requests", requests, "--events", events)

    def store() -> dict[str, float]:
        run = worker()
        return {stage: _micros(run, stage) for stage in (*STORE_STAGES, "events")}

    def publish() -> dict[str, float]:
        run = worker("--topic", topic, "--most", published)
        return {"publish": _micros(run, "publish")}

    def raw() -> dict[str, float]:
        run = result_of(("-m", "tests.benchmark.peers.raw_download", requests, *ACCESS))
        return {"raw": run["cpuSeconds"] / rehearsed["entries"] * 1e6}

    def plain_publish() -> dict[str, float]:
        run = result_of(("-m", "tests.benchmark.peers.plain_publish", topic, events))
        return {"plainPublish": run["cpuSeconds"] / run["entries"] * 1e6}

    return [store, raw, publish, plain_publish]


def _peers(api: str) -> dict[str, Measure]:
    """The runs of the other tools that install here."""
    pythons = {name: python_of(environment) for name, (environment, _, _) in PEERS.items()}
    return {
        name: _peer(name, python, PEERS[name][1], (api, *ACCESS))
        for name, python in pythons.items()
        if python is not None
    }


def _peer(name: str, python: Path, program: str, arguments: tuple[str, ...]) -> Measure:
    def run() -> dict[str, float]:
        result = result_of(
            ("-m", f"tests.benchmark.peers.{program}", *arguments),
            python=python,
            variables={"RUNTIME__DLTHUB_TELEMETRY": "false"},
        )
        return {name: result["cpuSeconds"] / result["entries"] * 1e6}

    return run


def _micros(run: dict[str, Any], stage: str) -> float:
    return float(run["cpuSeconds"][stage]) / int(run["entries"]) * 1e6


def _sum(measured: dict[str, Spread], stages: tuple[str, ...]) -> Spread:
    total = measured[stages[0]]
    for stage in stages[1:]:
        total = total.plus(measured[stage])
    return total


def _section(measured: dict[str, Spread], skipped: list[str]) -> Section:
    raw, plain = measured["raw"], measured["plainPublish"]
    store, publish = _sum(measured, STORE_STAGES), _sum(measured, PUBLISH_STAGES)
    peers = {name: text for name, (_, _, text) in PEERS.items() if name in measured}
    lines = {
        **{f"  {STAGES[stage]}": measured[stage] for stage in STORE_STAGES},
        "worker: store": store,
        **{f"  {STAGES[stage]}": measured[stage] for stage in PUBLISH_STAGES},
        "worker: publish": publish,
        "the same bytes, downloaded only": raw,
        **{text: measured[name] for name, text in peers.items()},
        "plain boto3 publish_batch": plain,
    }
    bars = [Bar("storing, µs an entry", store.median, 16)]
    if "orjson" in measured:
        bars.append(Bar("storing ÷ orjson loop", store.over(measured["orjson"]).median, 2))
    if "dlt" in measured:
        bars.append(Bar("storing ÷ dlt", store.over(measured["dlt"]).median, 1 / 6))
    bars.append(Bar("publishing ÷ plain boto3", publish.over(plain).median, 0.5))
    return Section(
        title="CPU per entry: µs, median and range, and the ratio to the raw download",
        columns=("", "µs an entry", "x raw"),
        rows=[(name, str(one), f"{one.over(raw).median:.3g}") for name, one in lines.items()],
        members={
            "storeMicrosPerEntry": store.median,
            "publishMicrosPerEntry": publish.median,
            "rawDownloadMicrosPerEntry": raw.median,
            "plainPublishMicrosPerEntry": plain.median,
            **{MEMBERS[name]: measured[name].median for name in peers},
            "stageMicrosPerEntry": {stage: measured[stage].median for stage in STAGES},
        },
        bars=bars,
        notes=skipped,
    )
