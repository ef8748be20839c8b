"""How far the lake is complete, as its readers learn it."""

from datetime import datetime
from itertools import islice

from cpd_exporter.model import exact_json
from cpd_exporter.model.timestamps import format_instant, format_timestamp
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import PageStore, PlannerLake

MAX_LISTED_HOLES = 1000


def exported(watermark: Watermark) -> tuple[datetime, datetime]:
    """Where the exported time begins and ends."""
    return watermark.exported_from, watermark.exported_through


def write_progress(
    timeline: PageStore, lake: PlannerLake, watermark: Watermark, now: datetime
) -> None:
    """Write ``progress.json``: the time whose entries the lake holds, but for the holes.

    It reads the holes after the watermark has moved over them. An older file that replaces a newer
    one therefore claims too little, and never too much.
    """
    start, end = exported(watermark)
    undone = timeline.undone(Window(start, end))
    holes = [page.window for page in islice(undone, MAX_LISTED_HOLES)]
    if (further := next(undone, None)) is not None:
        holes.append(Window(further.window.start, end))
    progress = {
        "tenantId": timeline.tenant_id,
        "completeFrom": format_instant(start),
        "completeThrough": format_instant(end),
        "holes": [
            {"from": format_instant(hole.start), "to": format_instant(hole.end)} for hole in holes
        ],
        "generatedAt": format_timestamp(now),
    }
    lake.put_progress(exact_json.dump(progress))
