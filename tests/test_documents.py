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


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_deployment_names_its_stage_and_what_it_would_lose(page: Path) -> None:
    """Overrides take the place of the stage's own."""
    for line in re.findall(r"sam deploy[^`\n]+--parameter-overrides[^`\n]+", page.read_text()):
        assert "--config-env prod" in line
        assert "Environment=production" in line


@pytest.mark.parametrize("page", [*PAGES, ROOT / "template.yaml"], ids=lambda page: page.name)
def test_every_deployment_says_of_which_stack(page: Path) -> None:
    for line in re.findall(r"^.*sam deploy.*$", page.read_text(), re.MULTILINE):
        for options in re.findall(r"(?<!`)sam deploy([^`]*)|`sam deploy( [^`]+)`", line):
            assert re.search(r"--(config-env|stack-name) ", "".join(options)), line


@pytest.mark.parametrize("page", ["cost.md", "security.md"])
def test_logs_are_kept_for_as_long_as_the_pages_say(page: str) -> None:
    groups = [one for one in TEMPLATE["Resources"].values() if one["Type"] == "AWS::Logs::LogGroup"]
    (days,) = {one["Properties"]["RetentionInDays"] for one in groups}
    assert f"{days} days" in (ROOT / "docs" / page).read_text()


def test_the_template_is_about_as_large_as_the_limits_say() -> None:
    (kilobytes,) = re.findall(r"some (\d+) KB", (ROOT / "docs/limits.md").read_text())
    size = (ROOT / "template.yaml").stat().st_size
    assert 0.7 <= size / 1000 / int(kilobytes) <= 1.1


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
