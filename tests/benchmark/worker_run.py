"""One run of the worker: the real handler exports what the simulator serves.

The API is real HTTP, in another process; so is the topic, if it is given. Timeline, queue and lake
are in memory. The planner plans without being measured.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from cpd_exporter import bootstrap
from cpd_exporter.adapters.aws.secret import ApiSecret
from cpd_exporter.adapters.aws.topic import SnsTopic, topic_client
from cpd_exporter.adapters.thrive.factory import build_api
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message
from cpd_exporter.model.options import Audience, Environment, Scope
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.slicer import SlicePolicy
from cpd_exporter.ports import Topic
from cpd_exporter.worker.context import WorkerLimits
from simulator import Credentials
from tests.benchmark.functions import Invocation, load_function
from tests.benchmark.processes import ROOT
from tests.benchmark.stopwatch import Stopwatch, during
from tests.support.fakes import FakeLake, FakeQueue, FakeReplayQueue, FakeTimeline
from tests.support.fakes.credentials import FakeCredentials

TOPIC_ARN = "arn:aws:sns:eu-west-2:123456789012:notifications"


class _Nobody:
    """A topic without subscribers."""

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        return {}


class WorkerRun:
    """The worker's world, and what one run of it does."""

    def __init__(self, api_url: str, topic_url: str | None, first: datetime) -> None:
        self.watch = watch = Stopwatch()
        self.requests: list[str] = []
        self.events: list[Event] = []
        self.queue, self.timeline, self.lake = FakeQueue(), FakeTimeline(), FakeLake()
        accepted = Credentials()
        secret = {"tenantId": accepted.tenant_id, "apiSecret": accepted.api_secret}
        client = new_client()
        self.is_tracing = False
        client.event_hooks["request"].append(self._note_request)
        _, api = build_api(
            FakeCredentials(ApiSecret.model_validate(secret)),
            Environment.PRODUCTION,
            Audience.PUBLIC,
            Scope.READ,
            clock=_now,
            api_url=api_url,
            client=client,
        )
        self.timeline.tenant_id = accepted.tenant_id
        tokens = random.Random(1)
        new_token = lambda: f"{tokens.getrandbits(64):016x}"  # noqa: E731  # a port
        self.planner = bootstrap.build_planner(
            api=api,
            timeline=self.timeline,
            queue=self.queue,
            clock=_now,
            new_token=new_token,
            limits=PlannerLimits(
                origin=first,
                slice_policy=SlicePolicy(settle=timedelta(seconds=120)),
                resend_policy=ResendPolicy(in_queue=timedelta(minutes=6)),
            ),
            lake=self.lake,
        )
        Http.request = during(watch, "download", Http.request)  # type: ignore[method-assign]
        api.query = during(watch, "read", api.query, then="encode")  # type: ignore[method-assign]
        self.lake.put_new = during(  # type: ignore[method-assign]
            watch, "handler", self.lake.put_new, then="events"
        )
        topic: Topic = _Nobody()
        if topic_url:
            topic = SnsTopic(topic_client(endpoint_url=topic_url), TOPIC_ARN)
        self._publish = topic.publish
        topic.publish = during(watch, "publish", self._note_events)  # type: ignore[method-assign]
        self.timeline.update = during(  # type: ignore[method-assign]
            watch, "handler", self.timeline.update
        )
        worker = bootstrap.build_worker(
            api=api,
            timeline=self.timeline,
            lake=self.lake,
            topic=topic,
            replay_queue=FakeReplayQueue(),
            clock=_now,
            new_token=new_token,
            limits=WorkerLimits(lease=timedelta(minutes=3)),
        )
        bootstrap.worker = lambda: worker  # type: ignore[assignment]

    def _note_request(self, request: httpx.Request) -> None:
        if self.is_tracing:
            self.requests.append(str(request.url))

    def _note_events(self, events: Sequence[Event]) -> dict[str, str]:
        if self.is_tracing:
            self.events.extend(events)
        return self._publish(events)

    def export(
        self, handler: Callable[[Any, Any], None], *, trace: bool, most: int
    ) -> dict[str, Any]:
        """Export so many entries; returns CPU seconds by stage, of all pages but the first."""
        event = json.loads((ROOT / "events/worker-page.json").read_text())
        entries = pages = 0
        is_warm = False
        while True:
            self.planner.tick()
            if not self.queue.messages or entries >= most:
                break
            while self.queue.messages and entries < most:
                message = self.queue.messages.pop(0)
                event["Records"][0]["body"] = message.model_dump_json(by_alias=True)
                self.is_tracing = trace and is_warm
                self.watch.enter("handler" if is_warm else "")
                handler(event, Invocation())
                self.watch.enter("")
                self.is_tracing = False
                if is_warm:
                    entries += self._entries(message)
                    pages += 1
                is_warm = is_warm or self._entries(message) > 0
        return {"entries": entries, "pages": pages, "cpuSeconds": self.watch.seconds}

    def _entries(self, message: Message) -> int:
        page = self.timeline.page(message.start)  # type: ignore[union-attr]  # no jobs here
        return page.entries if page else 0


def _now() -> datetime:
    return datetime.now(UTC)


def _line(event: Event) -> Mapping[str, object]:
    return {"body": event.body, "attributes": event.attributes}


def main() -> dict[str, Any]:
    """Run once; returns entries, pages and CPU seconds by stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--api", required=True, help="its URL")
    parser.add_argument("--topic", help="its URL; without one, nobody takes the events")
    parser.add_argument("--first", required=True, type=datetime.fromisoformat)
    parser.add_argument("--most", type=int, default=10**9, help="about how many entries to export")
    parser.add_argument("--requests", type=Path, help="a file for the URLs that the worker read")
    parser.add_argument("--events", type=Path, help="a file for the events")
    given = parser.parse_args()
    os.environ |= {"POWERTOOLS_SERVICE_NAME": "worker", "POWERTOOLS_METRICS_NAMESPACE": "bench"}
    run = WorkerRun(given.api, given.topic, given.first)
    result = run.export(
        load_function("worker").handler, trace=bool(given.requests), most=given.most
    )
    if given.requests:
        given.requests.write_text("\n".join(run.requests))
    if given.events:
        given.events.write_text("\n".join(json.dumps(_line(event)) for event in run.events))
    return result


if __name__ == "__main__":
    out = sys.stdout
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere  # the functions log there
        figures = main()
    sys.stdout = out
    print(json.dumps(figures))
