"""A deployment with CloudWatch: what its functions log becomes metrics, and crashes are counted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.support.cloudwatch import CloudWatch
from tests.support.deployment import Deployment, sample

TICK = timedelta(minutes=15)


class Watched:
    """Runs the functions as the schedule and the queue do; ``now`` is the functions' clock."""

    def __init__(self, stack: Deployment) -> None:
        self.stack = stack
        self.cloudwatch = CloudWatch()
        self._ahead = timedelta()
        self._seen = 0
        stack.is_warm = True
        self.wait(timedelta())

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    @property
    def in_alarm(self) -> set[str]:
        return self.cloudwatch.in_alarm(self.now)

    def wait(self, time: timedelta) -> None:
        """Let time pass in which nothing runs."""
        self._ahead += time
        self.stack.later(seconds=self._ahead.total_seconds())
        self.stack.simulator.behave(clock_skew_seconds=int(self._ahead.total_seconds()))

    def planner(self, event: Any) -> None:
        self._invoke("PlannerFunction", partial(self.stack.planner, event))

    def look(self) -> dict[str, Any]:
        """The answer to `status`. A look is no error, and emits no metric."""
        before, errors = self.stack.metric_lines, self.stack.logged("ERROR")
        answer = dict(self.stack.planner(sample("planner-status")))
        assert (self.stack.metric_lines, self.stack.logged("ERROR")) == (before, errors)
        assert next(iter(answer)) == "summary"
        assert "\n" not in answer["summary"]
        return answer

    def work_off(self) -> None:
        """Handle each visible message once; one that fails stays in the queue, out of sight."""
        sqs, queue = self.stack.account.sqs, self.stack.account.queue_url
        while message := self.stack.receive():
            if self._invoke("WorkerFunction", partial(self.stack.worker, message)):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def run(self, time: timedelta, *, workers: bool = True) -> None:
        """Let the schedule tick, and the workers work, for a while."""
        for _ in range(time // TICK):
            self.planner(sample("planner-schedule"))
            if workers:
                self.work_off()
            self.wait(TICK)

    def _invoke(self, function: str, call: Callable[[], object]) -> bool:
        """Invoke a function; returns whether it succeeded, which Lambda counts."""
        try:
            call()
        except pytest.fail.Exception:
            raise
        except Exception:  # noqa: BLE001  # Lambda counts every exception
            failed = True
        else:
            failed = False
        self.cloudwatch.record("AWS/Lambda", "Errors", failed, self.now, FunctionName=function)
        self.stack.logged("INFO")
        lines, self._seen = self.stack.output[self._seen :], len(self.stack.output)
        self.cloudwatch.take(lines.splitlines(), self.now)
        return not failed
