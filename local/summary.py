"""The result of an export in numbers, and whether anything is missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local.driver import Progress
from local.errors import UserError
from local.lake import LakeCopy
from local.sources import Comparison
from local.subscriber import Subscriber

_MAX_NAMED_IDS = 5
"""How many IDs a problem names."""


@dataclass(frozen=True)
class Summary:
    """The numbers of one export; ``problems`` is empty if the export is complete."""

    entries_in_api: int
    entries_in_lake: int
    rows: int
    objects: int
    notifications: int
    distinct_notifications: int
    quarantined: int
    api_calls: int
    seconds: float
    problems: tuple[str, ...]

    @classmethod
    def of(
        cls,
        progress: Progress,
        copy: LakeCopy,
        subscriber: Subscriber,
        comparison: Comparison,
        *,
        api_calls: int,
        seconds: float,
    ) -> "Summary":
        """Compare the API, the lake and the notifications."""
        stored = set(copy.rows)
        problems = [
            *(f"hole {hole}" for hole in progress.holes),
            *_problem("entries are missing in the lake", set(comparison.missing)),
            *_problem("entries are in the lake twice", {i for i, n in copy.rows.items() if n > 1}),
            *_problem("entries were stored but not published", stored - subscriber.subjects),
            *_problem("entries were published but not stored", subscriber.subjects - stored),
        ]
        if len(subscriber.events) != copy.rows.total():
            problems.append(
                f"{copy.rows.total()} rows, but {len(subscriber.events)} different notifications"
            )
        return cls(
            entries_in_api=comparison.entries,
            entries_in_lake=len(stored),
            rows=copy.rows.total(),
            objects=copy.objects,
            notifications=subscriber.events.total(),
            distinct_notifications=len(subscriber.events),
            quarantined=copy.quarantined,
            api_calls=api_calls,
            seconds=round(seconds, 2),
            problems=tuple(problems),
        )

    @property
    def entries_per_second(self) -> float:
        """The export's speed."""
        return round(self.entries_in_lake / self.seconds, 1)

    def as_json(self) -> dict[str, Any]:
        """Return the report of `run`."""
        return {
            "entriesInApi": self.entries_in_api,
            "entriesInLake": self.entries_in_lake,
            "objects": self.objects,
            "notifications": self.notifications,
            "distinctNotifications": self.distinct_notifications,
            "quarantined": self.quarantined,
            "apiCalls": self.api_calls,
            "seconds": self.seconds,
            "entriesPerSecond": self.entries_per_second,
            "problems": list(self.problems),
        }

    def show(self, console: Console, lake: Path) -> None:
        """Print the numbers as a table."""
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        rows = {
            "Entries in the API": f"{self.entries_in_api:,}",
            "Entries in the lake": f"{self.entries_in_lake:,}",
            "Different notifications received": f"{self.distinct_notifications:,}",
            "Objects": f"{self.objects:,}",
            "Faulty records in quarantine": f"{self.quarantined:,}",
            "Calls to the API": f"{self.api_calls:,}",
            "Seconds": f"{self.seconds:,}",
            "Entries a second": f"{self.entries_per_second:,}",
        }
        for name, value in rows.items():
            table.add_row(name, value)
        console.print(table)
        console.print(f"The lake is in {lake}/", highlight=False)

    def demand_completeness(self) -> None:
        """Raise ``UserError`` if the export has problems."""
        if self.problems:
            raise UserError("the export is not complete:\n  " + "\n  ".join(self.problems))


def _problem(what: str, ids: set[str]) -> list[str]:
    if not ids:
        return []
    some = ", ".join(sorted(ids)[:_MAX_NAMED_IDS])
    return [f"{len(ids)} {what}: {some}{' …' if len(ids) > _MAX_NAMED_IDS else ''}"]
