"""An ordeal for a stack: functions killed and frozen, messages stolen and repeated, an API that
fails in every way it knows while its entries change.

Chance is seeded, but real processes keep no schedule: the same seed gives the same kinds of blows,
not the same moments.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import Any, Literal

from cpd_exporter.bootstrap import VISIBILITY_PER_TIMEOUT
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import WorkKind
from cpd_exporter.model.timestamps import parse_instant
from local.driver import Progress, invoke, read_progress
from local.errors import UserError
from local.stack.deploy import DeployedStack
from local.subscriber import subscribe
from simulator import Behaviour, InjectedFault, RecordedCall, ScheduledChange, Simulator
from tests.support.pace import patience

WORKER_TIMEOUT_SECONDS = 3
"""The functions' time-out instead of the template's 120 s: a lease then ends after 8 s, and a
message is given up after six times that. Work that takes longer has two workers at once."""

REST_WITHIN_SECONDS = 150
PAGE_CAP = 300
"""Rows in a response. The planner counts on more, so that workers have to split their windows."""

_CALLS_PER_WEATHER = 4
_FREEZE_SECONDS = (9.0, 12.0)
_NEW_ENTRIES = 12


type Function = Literal["planner", "worker"]


def _weather(*faults: InjectedFault, **switches: Any) -> Behaviour:
    return Behaviour.model_validate({"per_page_cap": PAGE_CAP, "faults": faults} | switches)


FAIR = _weather()
WEATHERS = (
    _weather(InjectedFault(status=429, times=2, retry_after=1)),
    _weather(InjectedFault(status=429, times=2, retry_after=2, retry_after_as_date=True)),
    _weather(InjectedFault(status=429, times=3)),
    _weather(InjectedFault(status=429, retry_after=3600, times=2)),
    _weather(InjectedFault(status=500, times=3)),
    _weather(InjectedFault(status=503, html=True, times=3)),
    _weather(InjectedFault(status=401, times=5)),
    _weather(InjectedFault(status=403, times=2)),
    _weather(InjectedFault(status=302, location="https://example.com/", times=1)),
    _weather(InjectedFault(on="token", status=500, times=2), token_lifetime_seconds=1),
    _weather(InjectedFault(kind="slow", seconds=2, times=3)),
    _weather(InjectedFault(kind="slow", seconds=10, times=1)),
    _weather(InjectedFault(kind="cut-off", times=2)),
    _weather(InjectedFault(kind="truncated", times=2)),
    _weather(InjectedFault(kind="html", times=2)),
    _weather(InjectedFault(kind="raw", body='{"results": []}', times=2)),
    _weather(InjectedFault(kind="ignore-filter", times=2)),
    _weather(InjectedFault(kind="repeat")),
    _weather(InjectedFault(kind="repeat-edited", times=2)),
    _weather(per_page_cap=60),
    _weather(order="descending", from_inclusive=True, to_inclusive=True),
    _weather(shuffle="ties"),
    _weather(shuffle="all", shuffle_by="per-page", precision="second"),
    _weather(totals_factor=1.3),
    _weather(totals_extra=1),
    _weather(clock_skew_seconds=-20),
    _weather(changes=(ScheduledChange(kind="insert", count=3),)),
    _weather(changes=(ScheduledChange(kind="back-date"), ScheduledChange(kind="edit", every=2))),
    _weather(changes=(ScheduledChange(kind="delete"), ScheduledChange(kind="move", every=2))),
)
"""All that the simulator can do, but for a listing without the entries: nobody could see that."""


class Sky:
    """Changes the weather of the API after every few listings, and keeps who got an answer last."""

    def __init__(self, simulator: Simulator, rng: random.Random) -> None:
        self.left = len(WEATHERS) + 1  # the fair one before them, too
        self._coming = cycle(rng.sample(WEATHERS, len(WEATHERS)))
        self._simulator = simulator
        self._listings = 0
        self._answered: SimpleQueue[Function] = SimpleQueue()
        self._lock = threading.Lock()

    def watch(self, call: RecordedCall) -> None:
        if call.endpoint != "listing":
            return
        with self._lock:
            self._listings += 1
            if self._listings % _CALLS_PER_WEATHER == 0:
                self._simulator.behaviour = next(self._coming)
                self.left -= 1
        # The planner only counts.
        self._answered.put("planner" if call.query["perPage"] == "1" else "worker")

    def next_answered(self) -> Function | None:
        """Who gets the next answer; ``None`` if nobody asks for a while."""
        with suppress(Empty):
            while True:
                self._answered.get_nowait()
        with suppress(Empty):
            return self._answered.get(timeout=1)
        return None


class Striker:
    """Kills function processes, or freezes workers until others have taken over.

    Soon after the API answered, since then pages are planned, and rows put; or as soon as an event
    is heard, since then more of the page's are on their way. Three workers to each planner.
    """

    def __init__(
        self,
        stack: DeployedStack,
        sky: Sky,
        heard: threading.Event,
        rng: random.Random,
        strikes: int,
    ) -> None:
        self.left: dict[Function, int] = {"worker": strikes, "planner": max(1, strikes // 3)}
        self.struck: Counter[str] = Counter()
        self._sky, self._heard, self._rng = sky, heard, rng
        self._processes = {
            "worker": _Processes(stack, stack.outputs["WorkerFunctionName"]),
            "planner": _Processes(stack, stack.outputs["PlannerFunctionName"]),
        }

    @property
    def is_done(self) -> bool:
        return all(left <= 0 for left in self.left.values())

    def strike_until(self, stop: threading.Event) -> None:
        with ThreadPoolExecutor() as thawing:
            while not self.is_done and not stop.is_set():
                function = self._await_moment()
                if function is None or self.left[function] <= 0:
                    continue
                victims = self._processes[function].ids()
                if function == "worker" and self._rng.random() < 0.15:
                    for victim in victims[:1]:
                        self._strike(function, "frozen", victim, signal.SIGSTOP)
                        thawing.submit(self._thaw, victim, self._rng.uniform(*_FREEZE_SECONDS))
                else:
                    for victim in victims:
                        self._strike(function, "killed", victim, signal.SIGKILL)

    def _await_moment(self) -> Function | None:
        if self.left["worker"] > 0 and self._rng.random() < 0.5:
            self._heard.clear()
            return "worker" if self._heard.wait(2) else None
        function = self._sky.next_answered()
        time.sleep(self._rng.uniform(0, 0.5))
        return function

    def _strike(self, function: Function, blow: str, victim: int, number: signal.Signals) -> None:
        self.left[function] -= 1
        self.struck[f"{function}s {blow}"] += 1
        _send(victim, number)

    def _thaw(self, process: int, seconds: float) -> None:
        time.sleep(seconds)
        if process in self._processes["worker"].ids():
            _send(process, signal.SIGCONT)


class _Processes:
    """The processes in which the emulator runs one function of one stack."""

    def __init__(self, stack: DeployedStack, function: str) -> None:
        self._mark = str(stack.log.parent / "tmp" / f"ministack-lambda-{function}-")

    def ids(self) -> list[int]:
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True
        )
        return [int(line.split()[0]) for line in listing.stdout.splitlines() if self._mark in line]


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


class Thief:
    """Takes messages out of the pages queue: loses them, copies them, moves them to the dead-letter
    queue, or slips in an old one, whose work may long be done, split or swept."""

    def __init__(self, stack: DeployedStack, rng: random.Random) -> None:
        self.thefts: Counter[str] = Counter()
        self._sqs, self._rng = stack.account.sqs, rng
        self._queue_url = stack.outputs["WorkQueueUrl"]
        self._dead_url = stack.outputs["WorkDeadLetterQueueUrl"]
        self._bodies: list[str] = []

    def steal_until(self, stop: threading.Event) -> None:
        while not stop.wait(self._rng.uniform(0.3, 1.5)):
            answer = self._sqs.receive_message(QueueUrl=self._queue_url, VisibilityTimeout=5)
            for message in answer.get("Messages", []):
                self._bodies.append(message["Body"])
                theft = self._rng.choice(("lost", "repeated", "dead-lettered", "an old one"))
                self.thefts[theft] += 1
                if theft == "lost":
                    self._delete(message["ReceiptHandle"])
                elif theft == "repeated":
                    self._send(self._queue_url, message["Body"])
                elif theft == "dead-lettered":
                    self._send(self._dead_url, message["Body"])
                    self._delete(message["ReceiptHandle"])
                else:
                    self._send(self._queue_url, self._rng.choice(self._bodies))

    def _delete(self, receipt: str) -> None:
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)

    def _send(self, queue_url: str, body: str) -> None:
        delay = self._rng.choice((0, 0, 5, 20))
        self._sqs.send_message(QueueUrl=queue_url, MessageBody=body, DelaySeconds=delay)


class Witness:
    """A subscriber that keeps every event: its distinct bodies by ID, and how often each came."""

    def __init__(self, stack: DeployedStack) -> None:
        self._sqs = stack.account.sqs
        self._queue_url = subscribe(stack, "witness")
        self._messages: set[str] = set()
        self._lock = threading.Lock()
        self.bodies: dict[str, set[str]] = {}
        self.times: Counter[str] = Counter()
        self.heard = threading.Event()

    def listen_until(self, stop: threading.Event) -> None:
        """Until the stop is set and nothing comes any more."""
        while True:
            ending = stop.is_set()
            messages = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            ).get("Messages", [])
            if not messages and ending:
                return
            if messages:
                self.heard.set()
            with self._lock:
                for message in messages:
                    # The emulator's own redelivery of one message is not the exporter's doing.
                    if message["MessageId"] not in self._messages:
                        self._messages.add(message["MessageId"])
                        event_id = json.loads(message["Body"])["id"]
                        self.bodies.setdefault(event_id, set()).add(message["Body"])
                        self.times[event_id] += 1
            if messages:
                self._sqs.delete_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
                        for position, message in enumerate(messages)
                    ],
                )


@contextmanager
def listening(stack: DeployedStack) -> Iterator[Witness]:
    """Keeps all events until left, and the last of them then."""
    witness, stop = Witness(stack), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        listeners = [pool.submit(witness.listen_until, stop) for _ in range(2)]
        try:
            yield witness
        finally:
            stop.set()
    for listener in listeners:
        listener.result()


def hurry(stack: DeployedStack) -> None:
    """Make leases and waits short. The functions' own time-outs stay, and so does the template."""
    functions = stack.account.functions
    for output in ("PlannerFunctionName", "WorkerFunctionName"):
        name = stack.outputs[output]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]
        functions.update_function_configuration(
            FunctionName=name,
            Environment={
                "Variables": variables["Variables"]
                | {"CPD_WORKER_TIMEOUT_SECONDS": str(WORKER_TIMEOUT_SECONDS)}
            },
        )
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    stack.account.sqs.set_queue_attributes(
        QueueUrl=stack.outputs["WorkQueueUrl"],
        Attributes={
            "VisibilityTimeout": str(round(VISIBILITY_PER_TIMEOUT * WORKER_TIMEOUT_SECONDS))
        },
    )


class Ordeal:
    """The export of one simulator, ticked on through all of it; entries go on being logged."""

    def __init__(
        self,
        stack: DeployedStack,
        simulator: Simulator,
        witness: Witness,
        *,
        seed: int,
        strikes: int,
    ) -> None:
        self.stack, self.simulator = stack, simulator
        self.ticks: Counter[str] = Counter(died=0)
        self.redriven: set[str] = set()
        self._rng = random.Random(f"ordeal {seed}")
        self.sky = Sky(simulator, random.Random(f"sky {seed}"))
        chance = random.Random(f"striker {seed}")
        self.striker = Striker(stack, self.sky, witness.heard, chance, strikes)
        self.thief = Thief(stack, random.Random(f"thief {seed}"))

    def endure(self) -> None:
        """Tick until all blows are struck and all weathers had, then let the sky clear."""
        stop = threading.Event()
        self.simulator.after_call = self.sky.watch
        with ThreadPoolExecutor() as pool:
            foes = [
                pool.submit(self.striker.strike_until, stop),
                pool.submit(self.thief.steal_until, stop),
            ]
            try:
                while (not self.striker.is_done or self.sky.left > 0) and not any(
                    f.done() for f in foes[1:]
                ):
                    for _ in range(_NEW_ENTRIES):
                        self.simulator.insert(datetime.now(UTC))
                    # A schedule may deliver twice.
                    again = 2 if self._rng.random() < 0.3 else 1
                    list(pool.map(self._tick, [self._command()] * again))
                    time.sleep(0.5)
            finally:
                stop.set()
                self.simulator.after_call = lambda _: None
                self.simulator.behaviour = FAIR
        for foe in foes:
            foe.result()

    def _command(self) -> dict[str, Any]:
        if self._rng.random() < 0.1:
            return {"command": "sweep", "lookback": self._rng.choice(("PT1H", "P10D", "P200D"))}
        return {"command": "export"}

    def _tick(self, event: dict[str, Any]) -> None:
        try:
            error = invoke(self.stack, event).get("error")
        except UserError:
            self.ticks["died"] += 1
        else:
            self.ticks[error["type"] if error else "went well"] += 1

    def come_to_rest(self) -> int:
        """Tick until everything up to now is exported and swept; returns how many ticks it took.

        Holes are sent to the workers at once: the planner's own back-off takes hours.
        """
        since, deadline, ticks = (
            datetime.now(UTC),
            time.monotonic() + patience(REST_WITHIN_SECONDS),
            0,
        )
        while True:
            ticks += 1
            answer = invoke(self.stack, {"command": "export"})
            (status,) = invoke(self.stack, {"command": "status"})["tenants"]
            progress = read_progress(self.stack)
            if "error" not in answer and progress and _rests(progress, status, since):
                return ticks
            assert time.monotonic() < deadline, f"timed out: {answer}, {status}"
            self._redrive_holes()
            time.sleep(1)

    def _redrive_holes(self) -> None:
        for page in pages(self.stack):
            if "holeSince" in page and page["revision"]["S"] not in self.redriven:
                self.redriven.add(page["revision"]["S"])
                work = PageMessage(
                    kind=WorkKind.PAGE,
                    tenant_id=self.simulator.credentials.tenant_id,
                    start=parse_instant(page["start"]["S"]),
                    end=parse_instant(page["end"]["S"]),
                    generation=int(page["generation"]["N"]),
                )
                self.stack.account.sqs.send_message(
                    QueueUrl=self.stack.outputs["WorkQueueUrl"],
                    MessageBody=work.model_dump_json(by_alias=True),
                )

    def deaths_at_work(self) -> int:
        """Workers that were killed with a message in their hands, by the emulator's log."""
        return self.stack.log.read_text(errors="replace").count("errorMessage=Worker process died")


def _rests(progress: Progress, status: dict[str, Any], since: datetime) -> bool:
    return (
        progress.exported_through >= since
        and not progress.waiting
        and not progress.holes
        and not any(status["sweeps"].values())
        and not status["jobs"]
    )


def pages(stack: DeployedStack) -> Sequence[dict[str, Any]]:
    """The timeline's pages as DynamoDB holds them, in order."""
    scan = stack.account.dynamodb.get_paginator("scan")
    items = [
        item
        for answer in scan.paginate(TableName=stack.outputs["TimelineTableName"])
        for item in answer["Items"]
        if item["sk"]["S"].startswith("PAGE#")
    ]
    return sorted(items, key=lambda item: item["sk"]["S"])
