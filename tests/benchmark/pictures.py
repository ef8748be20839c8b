"""Pictures for docs/cost.md: bars and a line as SVG, light or dark as the reader's browser is."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.benchmark.processes import ROOT

IMAGES = ROOT / "docs/images"

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 12px; fill: #59636e }
.title { font-weight: 600; font-size: 15px }
.grid { stroke: #d1d9e0 }
.a { fill: #0969da } .b { fill: #54aeff } .c { fill: #8250df } .d { fill: #bf3989 }
.peer { fill: #afb8c1 }
.line { fill: none; stroke-width: 2.5 } .line.a { stroke: #0969da } .line.d { stroke: #bf3989 }
.line.a, .line.d { fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d }
  .a { fill: #4493f8 } .b { fill: #79c0ff } .c { fill: #ab7df8 } .d { fill: #db61a2 }
  .peer { fill: #656c76 }
  .line.a { stroke: #4493f8 } .line.d { stroke: #db61a2 }
}
"""
_WIDTH = 760
_LEFT, _RIGHT = 250, 70
_STAGES = (
    ("a", "download", ("handler", "download")),
    ("b", "read and check", ("read",)),
    ("c", "compare, encode, compress", ("encode",)),
)
_PEERS = (
    ("rawDownloadMicrosPerEntry", "the same bytes, downloaded only"),
    ("orjsonLoopMicrosPerEntry", "urllib3 and orjson, four threads"),
    ("httpxLoopMicrosPerEntry", "httpx and json"),
    ("dltMicrosPerEntry", "dlt"),
    ("singerMicrosPerEntry", "Singer SDK, tap only"),
)
_MILLIONS = (1, 2, 5, 10, 20, 50, 100)


def draw(report: dict[str, Any]) -> list[Path]:
    """Draw what the report has figures for; returns the files."""
    drawn = []
    IMAGES.mkdir(parents=True, exist_ok=True)
    if "stageMicrosPerEntry" in report:
        drawn.append(_write("cpu.svg", cpu_picture(report)))
    if "dollarsPerMillion" in report:
        drawn.append(_write("cost.svg", cost_picture(report)))
    return drawn


def _write(name: str, text: str) -> Path:
    path = IMAGES / name
    path.write_text(text, encoding="utf-8")
    return path


def cpu_picture(report: dict[str, Any]) -> str:
    """CPU per entry to fetch, check and store: the worker by stage, and its peers."""
    stages = report["stageMicrosPerEntry"]
    worker = [(kind, sum(stages[one] for one in ones)) for kind, _, ones in _STAGES]
    bars = [("the exporter", worker)]
    bars += [(text, [("peer", report[key])]) for key, text in _PEERS if key in report]
    longest = max(sum(value for _, value in parts) for _, parts in bars)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    body = [_text(16, 26, "CPU to fetch, check and store an entry, µs", "title")]
    x = 16.0
    for kind, text, _ in _STAGES:
        body += [f'<rect class="{kind}" x="{x:.0f}" y="42" width="12" height="12" rx="2"/>']
        body.append(_text(x + 18, 53, text, "small"))
        x += 40 + 6.6 * len(text)
    for row, (name, parts) in enumerate(bars):
        y = 72 + 30 * row
        body.append(_text(_LEFT - 10, y + 15, name, anchor="end"))
        x = float(_LEFT)
        for kind, value in parts:
            body.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{value * scale:.1f}" '
                'height="20"/>'
            )
            x += value * scale
        body.append(_text(x + 8, y + 15, f"{sum(value for _, value in parts):.1f}", "small"))
    return _svg(72 + 30 * len(bars) + 12, body, "CPU per entry by stage, beside other tools")


def cost_picture(report: dict[str, Any]) -> str:
    """Dollars as entries grow: a history in bulk, and a month in which so many trickle in."""
    bulk = report["dollarsPerMillion"]["bulk"]
    height, top, bottom = 300, 60, 250
    # In a month of small pages, each tick has one: so much costs a month beyond an idle one.
    small_pages = (report["dollarsPerMillion"]["trickle"] - bulk) / 12
    month = report["dollarsIdleMonth"] + small_pages
    lines = {
        "a": ("a history, exported at once", [bulk * millions for millions in _MILLIONS]),
        "d": ("a month in which so many come", [month + bulk * m for m in _MILLIONS]),
    }
    most = max(max(values) for _, values in lines.values()) * 1.1
    step = (_WIDTH - 80 - 40) / _MILLIONS[-1]
    body = [_text(16, 26, "List price by entries, US dollars", "title")]
    for part in range(5):
        value = most * part / 4
        y = bottom - (bottom - top) * part / 4
        body.append(f'<line class="grid" x1="70" x2="{_WIDTH - 40}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(_text(62, y + 4, f"{value:.0f}", "small", anchor="end"))
    body += [
        _text(70 + step * millions, bottom + 20, f"{millions} M", "small", anchor="middle")
        for millions in (1, 20, 50, 100)
    ]
    for kind, (name, values) in lines.items():
        points = [
            (70 + step * millions, bottom - (bottom - top) * value / most)
            for millions, value in zip(_MILLIONS, values, strict=True)
        ]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(f'<polyline class="line {kind}" points="{joined}"/>')
        x, y = points[-1]
        below = 20 if kind == "a" else -10
        body.append(_text(x, y + below, f"{name}: ${values[-1]:.2f}", "small", anchor="end"))
    return _svg(height, body, "List price as entries grow")


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: int, body: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )
