"""An answer to `status` as text and as one self-contained page, for a phone and for a desk."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from itertools import dropwhile
from typing import Any

from local.places import ROOT

_STYLE = ROOT / "local/status_page.css"

DOLLARS_A_MILLION_ENTRIES = 0.11
DOLLARS_AN_IDLE_MONTH = 2.58
"""List prices, as docs/cost.md counts them."""

_DAYS_A_MONTH = 30.44

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def text(answer: Mapping[str, Any]) -> str:
    """The answer in lines: the summary, the figures, jobs, and what is wrong."""
    lines = [str(answer["summary"])]
    for status in answer.get("tenants", []):
        lines += ["", *(f"{name:<22} {value}" for name, value in _figures(status))]
        for title, rows in _tables(status):
            if rows:
                lines += ["", title, *("  " + " · ".join(row) for row in rows)]
    return "\n".join(lines)


def page(answer: Mapping[str, Any]) -> str:
    """The answer as HTML that needs no other file."""
    summary = str(answer["summary"])
    kind = summary.partition(":")[0].replace(" ", "-")
    parts = [f'<p class="summary {escape(kind)}">{_marked(summary)}</p>']
    for status in answer.get("tenants", []):
        parts.append("<dl>")
        parts += [
            f"<div><dt>{escape(name)}</dt><dd>{_marked(value)}</dd></div>"
            for name, value in _figures(status)
        ]
        parts.append("</dl>")
        parts += [_table(title, rows) for title, rows in _tables(status)]
        parts.append(_months(status))
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>CPD exporter: {escape(summary[:60])}</title>
<style>
{_STYLE.read_text("utf-8")}</style>
<main>
<h1>CPD exporter</h1>
{body}
</main>
</html>
"""


def _figures(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    queue, oldest, sweep = status["queue"], status["oldestPage"], status["fullSweep"]
    entries = sum(month["entries"] for month in status.get("months", []))
    cost = entries / 1e6 * DOLLARS_A_MILLION_ENTRIES
    figures = {
        "Tenant": status["tenantId"],
        "Exported": f"{status['exportedFrom']} to {status['exportedThrough']}"
        if status["exportedThrough"]
        else None,
        "Lag": _seconds(status["lagSeconds"]),
        "Last tick": (status["lastTick"] or {}).get("at"),
        "Last work": status["lastWorkAt"],
        "Work queue": queue.get("error")
        or f"{queue['waiting']} waiting, {queue['inFlight']} with workers",
        "Oldest page": f"{oldest['start']}, for {_seconds(oldest['seconds'])}" if oldest else None,
        "New pages": _states(status["pages"]),
        "Pages of a backfill": _states(status["backfillPages"]),
        "Sweeps": _states(status["sweeps"]),
        "Oldest reading": sweep["oldestReading"] if sweep else None,
        "Held deletions": status["deletionsHeld"],
        "Quarantined": status["quarantined"],
        "Cost so far": f"${cost:.2f} for {entries:,} entries, and ${DOLLARS_AN_IDLE_MONTH} a month"
        if entries
        else None,
    }
    return [(name, str(value)) for name, value in figures.items() if value not in (None, "")]


type _Rows = list[tuple[str, ...]]


def _tables(status: Mapping[str, Any]) -> list[tuple[str, _Rows]]:
    jobs: _Rows = [
        (one["name"], _percent(one), one["rate"] or "", _left(one), one["error"] or "")
        for one in status["jobs"]
    ]
    ended: _Rows = [
        (
            one["name"],
            one["outcome"],
            one["endedAt"],
            ", ".join(f"{count} {name}" for name, count in one["counts"].items()),
            one["report"] or one["error"] or "",
        )
        for one in status["endedJobs"]
    ]
    holes: _Rows = [
        (hole["start"], hole["end"], hole["since"], hole["error"]) for hole in status["holes"]
    ]
    faults: _Rows = [(one["key"], one["fault"]) for one in status["quarantinedRecords"]]
    failing: _Rows = [(str(one["count"]), one["error"]) for one in status["failing"]]
    return [
        ("Jobs", jobs),
        ("Ended jobs", ended),
        ("Tried again", failing),
        ("Holes and refused events", holes),
        ("Quarantined records", faults),
    ]


def _months(status: Mapping[str, Any]) -> str:
    """Each month as a cell, by its worst state, with its entries a day."""
    listed = status.get("months", [])
    months = list(dropwhile(_is_empty, listed))
    if not months:
        return ""
    before = len(listed) - len(months)
    most = max(month["entries"] for month in months) or 1
    cells = []
    for month in months:
        state = next(
            name
            for name, is_so in (
                ("hole", month["holes"]),
                ("undone", month["undone"]),
                ("swept", month["swept"]),
                ("done", True),
            )
            if is_so
        )
        pages = month["done"] + month["undone"] + month["holes"]
        a_day = month["entries"] / _DAYS_A_MONTH
        facts = f"{month['month']}: {month['entries']:,} entries in {pages} pages, {state}"
        cells.append(
            f'<li class="{state}" title="{facts}"><b>{month["month"]}</b>'
            f'<span class="bar" style="width:{100 * month["entries"] / most:.0f}%"></span>'
            f"<span>{a_day:,.{0 if a_day >= 10 else 1}f} a day</span></li>"
        )
    legend = "".join(f'<li class="{one}">{one}</li>' for one in ("done", "swept", "undone", "hole"))
    return (
        f'<h2>Months</h2>\n<ul class="legend">{legend}</ul>\n'
        + (f"<p>{before} months before have no entry.</p>\n" if before else "")
        + f'<ol class="months">{"".join(cells)}</ol>'
    )


def _is_empty(month: Mapping[str, Any]) -> bool:
    return not (month["entries"] or month["undone"] or month["holes"])


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{_marked(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f"<h2>{title}</h2>\n<table>{''.join(lines)}</table>" if lines else ""


def _marked(value: str) -> str:
    """A value as HTML; no line may break within an instant."""
    return _INSTANT.sub(r"<time>\g<0></time>", escape(value))


def _states(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in states.items() if count)


def _percent(job: Mapping[str, Any]) -> str:
    """Nothing for a job without an extent, such as a ping."""
    return f"{job['percent']} %" if job["percent"] is not None else ""


def _left(job: Mapping[str, Any]) -> str:
    return f"{_seconds(job['secondsLeft'])} left" if job["secondsLeft"] is not None else ""


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
