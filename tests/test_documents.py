"""What the documents name exists: files, headings, targets, commands, parameters and figures."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpd_exporter.model.command import read_command
from local.places import ROOT
from local.stack.template import template

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
IDS = [page.name for page in PAGES]
MAX_README_LINES = 100
TEMPLATE = template()


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if heading:
            assert heading in headings(file), target


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_is_understood(page: Path) -> None:
    for command in commands(page.read_text()):
        read_command(command)


def commands(text: str) -> Iterator[object]:
    """The JSON objects that name a command, but for those with a gap."""
    for start in (found.start() for found in re.finditer(r'\{\s*"command"', text)):
        end = text.index("}", start)
        if "…" not in text[start:end]:
            yield json.JSONDecoder().raw_decode(text, start)[0]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_event_file_exists(page: Path) -> None:
    for name in re.findall(r"events/[\w.-]+\.(?:json|yaml)", page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_overridden_parameter_exists(page: Path) -> None:
    for line in re.findall(r"--parameter-overrides ([^`\n]+)", page.read_text()):
        names = set(re.findall(r"(\w+)=", line))
        assert names <= TEMPLATE["Parameters"].keys() | {"NAME"}, line


def test_the_readme_can_be_read_in_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize(
    ("page", "figure"),
    [
        ("proof.md", r"\| schedules run \| ([\d,]+) "),
        ("proof.md", r"\| mutants killed \| \d+ of (\d+) "),
        ("cost.md", r"\| list price of an idle month \| \$([\d.]+),"),
        ("cost.md", r"\| list price of a million entries \| \$([\d.]+) in bulk"),
    ],
)
def test_the_readme_repeats_the_figures_of_other_pages(page: str, figure: str) -> None:
    (value,) = set(re.findall(figure, (ROOT / "docs" / page).read_text(), re.MULTILINE))
    assert re.search(rf"\b{value}\b", (ROOT / "README.md").read_text())
