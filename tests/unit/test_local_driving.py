"""Driving the export: when it is complete, when it is hopeless, when it is stuck."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local import driving
from local.account import Account
from local.driving import Progress, export_all
from local.problem import Problem
from local.stack import Stack

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """Time that passes only by sleeping; 200 steps are more than any test needs."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.steps = 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.steps += 1
        assert self.steps < 2000, "the export is never called complete"
        self.now += seconds


class Planner:
    """A planner's answers: plans all there is in ``ticks`` ticks, whose pages ``speed`` works off.

    ``arriving`` adds one page of new entries to every later tick.
    """

    def __init__(self, clock: Clock, *, ticks: int = 1, speed: int = 4, arriving: bool = False):
        self._clock = clock
        self._ticks = ticks
        self._speed = speed
        self._arriving = arriving
        self._planned = ORIGIN
        self._exported = ORIGIN
        self._open = self._done = 0
        self.holes: list[dict[str, Any]] = []
        self.error: dict[str, str] | None = None
        self.exports = 0

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        command = json.loads(Payload)["command"]
        answer = self._export() if command == "export" else {"tenants": [self._status()]}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def _export(self) -> dict[str, Any]:
        self.exports += 1
        if self.error:
            return {"error": self.error}
        if not self._open:
            self._exported = self._planned
        now = START + timedelta(seconds=self._clock.now)
        if self.exports < self._ticks:
            self._planned += timedelta(days=10)
            self._open += 8
        elif self.exports == self._ticks:
            self._planned = now
            self._open += 8
        else:
            self._planned = now
            self._open += self._arriving
        return {"tenants": [{"tenantId": "t"}]}

    def _status(self) -> dict[str, Any]:
        finished = min(self._speed, self._open)
        self._open -= finished
        self._done += finished
        if not self._open:
            self._exported = max(self._exported, self._planned) if not self._arriving else ORIGIN
        return {
            "tenantId": "t",
            "exportedFrom": ORIGIN.isoformat(),
            "exportedThrough": self._exported.isoformat(),
            "plannedThrough": self._planned.isoformat(),
            "pages": {"open": self._open, "writing": 0, "stored": 0, "done": self._done},
            "quarantined": 0,
            "holes": self.holes,
        }
