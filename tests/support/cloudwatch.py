"""A stand-in of CloudWatch: it takes what functions log, and evaluates the template's alarms.

It follows the documentation of "Configuring how CloudWatch alarms treat missing data": the newest
values of the evaluation range count, and missing ones are filled in only if there are too few.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.support.resolved import STACK, ResolvedTemplate

EXTRA_PERIODS = 2
"""How much longer the evaluation range is than the evaluation periods; CloudWatch does not say."""

type _Series = tuple[str, str, frozenset[tuple[str, str]]]

_STATISTICS: dict[str, Callable[[Iterable[float]], float]] = {"Maximum": max, "Sum": sum}


class CloudWatch:
    """Metrics by namespace, name and dimensions, and the alarms of one stack."""

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        self.alarms = ResolvedTemplate(parameters).of_type("AWS::CloudWatch::Alarm")
        self._values: defaultdict[_Series, list[tuple[datetime, float]]] = defaultdict(list)

    def record(
        self, namespace: str, name: str, value: float, at: datetime, **dimensions: str
    ) -> None:
        """Take one value, as a service of AWS does."""
        self._values[namespace, name, frozenset(dimensions.items())].append((at, value))

    def take(self, lines: Iterable[str], at: datetime) -> None:
        """Take the embedded metrics of log lines.

        A function loaded by a test has a numbered service name: here it becomes the stack's.
        """
        for line in lines:
            if '"_aws"' not in line:
                continue
            embedded = json.loads(line)
            for directive in embedded["_aws"]["CloudWatchMetrics"]:
                for dimensions in directive["Dimensions"]:
                    named = {name: _service(embedded[name]) for name in dimensions}
                    for metric in directive["Metrics"]:
                        for value in embedded[metric["Name"]]:
                            self.record(directive["Namespace"], metric["Name"], value, at, **named)

    def is_in_alarm(self, name: str, at: datetime) -> bool:
        """The state of an alarm at an instant, by its logical name."""
        alarm = self.alarms[name]
        series = self._series(alarm)
        period = timedelta(seconds=alarm["Period"])
        periods: int = alarm["EvaluationPeriods"]
        found: list[bool] = []
        missing = 0
        for number in range(periods + EXTRA_PERIODS):
            end = at - number * period
            values = [value for when, value in self._values[series] if end - period < when <= end]
            if values and len(found) < periods:
                found.append(_STATISTICS[alarm["Statistic"]](values) >= alarm["Threshold"])
            elif not values:
                missing += 1
        filled = min(missing, periods - len(found))
        found += [alarm["TreatMissingData"] == "breaching"] * filled
        needed: int = alarm.get("DatapointsToAlarm", periods)
        return sum(found) >= needed

    def in_alarm(self, at: datetime) -> set[str]:
        """The names of all alarms that are in alarm."""
        return {name for name in self.alarms if self.is_in_alarm(name, at)}

    @staticmethod
    def _series(alarm: Mapping[str, Any]) -> _Series:
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        dimensions = frozenset((one["Name"], str(one["Value"])) for one in alarm["Dimensions"])
        return alarm["Namespace"], alarm["MetricName"], dimensions


def _service(text: str) -> str:
    return re.sub(r"^(planner|worker)-\d+$", rf"{STACK}-\1", text)
