"""What the planner reports of a command and of a tick, for answers, logs and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cpd_exporter.errors import ExporterError


@dataclass(frozen=True, slots=True)
class TickReport:
    """The result of one tick, for logs and metrics.

    ``undone`` counts pages that are due or in flight, without holes. ``holes`` and
    ``oldest_hole`` include refused events. ``error`` stopped the planning. No page was read before
    ``oldest_reading``. ``difference`` is the lasting difference between the API's totals and the
    indexed entries, seen for two days running. ``held`` deletions wait for the operator.
    ``filter_warning`` says why the last check of the filter is incomplete, ``api_notice`` what the
    API says of its own end.
    """

    tenant_id: str
    planned: int
    sent: int
    undone: int
    sweeps: int
    jobs: int
    holes: int
    oldest_hole: datetime | None
    planned_through: datetime
    exported_through: datetime
    error: ExporterError | None
    oldest_reading: datetime | None = None
    difference: int = 0
    held: int = 0
    filter_warning: str | None = None
    api_notice: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: stored as ``accepted`` says, and begun by a tick.

    A command that was accepted before its tick failed is carried out by later ticks.
    """

    accepted: Mapping[str, Any] = field(default_factory=dict)
    tick: TickReport | None = None
    error: ExporterError | None = None
    api_calls: int = 0
