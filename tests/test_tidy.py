"""The tree keeps its own rules: one name a class, short files, and words in one sense."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "layers/exporter/cpd_exporter/"
SKIPPED = {".venv", ".tools", ".local", ".aws-sam", ".git", "__pycache__"}

RETIRED = (
    "Commander",
    "Cutting",
    "cut(?![-_ ]off)",
    "Effort",
    "Errand",
    "ErrandWork",
    "Gatherer",
    "KnownEntry",
    "Mailbox",
    "Patience",
    "Problem",
    "RequestClaim",
    "StateTable",
    "_Before",
    "_Sight",
    "_is_told_by",
    "announce",
    "announced",
    "announces",
    "elsewhere",
    "errand",
    "errands",
    "hop",
    "hops",
    "known_in",
    "lake_knowledge",
    "mailbox",
    "may_go_on",
    "passable",
    "prove_filter",
    "proven_at",
    "rolling",
    "stands",
    "told",
    "told_at",
    "volatile",
    "wish",
    "wishes",
    r"(?:MOST|LARGEST|LONGEST)_\w+",
)
"""Words that something else replaced: the glossary says which word is used now."""

RETIRED_CLASSES = {"Ask", "Tools", "Plan", "State", "Kind", "Write", "Missing"}
"""Names that say too little of a class; as words of prose they are fine."""

RETIRED_RESOURCE = re.compile(r"\bPagesQueue\b")
"""The resource is ``WorkQueue``; the output ``PagesQueueUrl`` stays, a consumer has it."""

GERUNDS_THAT_ARE_NOUNS = {"listing", "ping"}


def tracked() -> list[str]:
    """The paths of the project's files, whether or not this is a clone."""
    try:
        listed = subprocess.run(
            ["git", "ls-files"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = []
    if not listed:
        paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        listed = [path.as_posix() for path in paths if SKIPPED.isdisjoint(path.parts)]
    return sorted({path for path in listed if (ROOT / path).is_file()})


FILES = tracked()
GENERATED = "examples/subscriber/subscriber/models/"
PYTHON = [path for path in FILES if path.endswith(".py") and not path.startswith(GENERATED)]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def length(path: str) -> int:
    return len(read(path).splitlines())


def test_a_class_name_exists_once() -> None:
    places = defaultdict(list)
    for path in PYTHON:
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("Test"):
                places[node.name.lstrip("_")].append(path)
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert not twice, f"Rename all but one, so that a name says which class is meant: {twice}"
    vague = {name: where for name, where in places.items() if name in RETIRED_CLASSES}
    assert not vague, f"Name each class by what it holds: {vague}"


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        (PACKAGE + r".*\.py", 300),
        (r"tests/simulation/test_.*\.py", 400),
        (r"tests/.*\.py", 500),
    ],
)
def test_no_file_is_too_long(pattern: str, most: int) -> None:
    long = {
        path: length(path) for path in PYTHON if re.fullmatch(pattern, path) and length(path) > most
    }
    assert not long, f"Split each by topic, to at most {most} lines: {long}"


def test_a_module_is_a_noun() -> None:
    gerunds = [
        path
        for path in PYTHON
        if (stem := Path(path).stem).endswith("ing")
        and not stem.startswith("test_")
        and stem not in GERUNDS_THAT_ARE_NOUNS
    ]
    assert not gerunds, f"Name each module by what it holds, not by what it does: {gerunds}"


MAPPED = (PACKAGE, "simulator/", "tests/simulation/")
"""The folders whose ``__init__`` is a map, with all folders in them."""


def test_a_folders_map_names_every_module() -> None:
    forgotten = {}
    for path in PYTHON:
        if not path.startswith(MAPPED) or not path.endswith("/__init__.py"):
            continue
        folder = path.removesuffix("__init__.py")
        inside = {one.removeprefix(folder) for one in PYTHON if one.startswith(folder)}
        modules = {name.partition("/")[0].removesuffix(".py") for name in inside}
        named = {line.split()[0] for line in read(path).splitlines() if line.strip()}
        missing = {one for one in modules - named if not one.startswith(("__", "test_"))}
        if missing:
            forgotten[path] = sorted(missing)
    assert not forgotten, f"Say in each map what these hold: {forgotten}"


def test_unit_tests_mirror_the_modules() -> None:
    strays = []
    for path in PYTHON:
        place, _, name = path.rpartition("/")
        if place.startswith("tests/unit") and name.startswith("test_"):
            tested = (place.removeprefix("tests/unit") + "/" + name[5:-3]).lstrip("/")
            folder, module = PACKAGE + tested, tested
            mirrored = {
                f"{one}{end}" for one in (folder, module) for end in (".py", "/__init__.py")
            }
            # A topic of the template may have a file of its own.
            mirrored |= {f"{tested}.md", f"{tested}.yaml", f"{tested.rpartition('_')[0]}.yaml"}
            if mirrored.isdisjoint(FILES):
                strays.append(path)
    assert not strays, f"Name each after the module that it tests: {strays}"


def test_no_retired_word_comes_back() -> None:
    words = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(RETIRED) + r")(?![A-Za-z0-9])")
    found = [
        f"{path}:{number}: {match[0]}"
        for path in FILES
        if path.endswith((".py", ".md", ".yaml", ".json", ".toml", "Makefile"))
        and path not in ("tests/test_tidy.py", "CHANGELOG.md")
        for number, line in enumerate(read(path).splitlines(), 1)
        for match in [words.search(line) or RETIRED_RESOURCE.search(line)]
        if match
    ]
    assert not found, "Use the glossary's word instead:\n" + "\n".join(found)


def test_the_glossary_explains_words_that_the_code_uses() -> None:
    _, heading, rest = read("docs/architecture.md").partition("## Glossary")
    assert heading, "docs/architecture.md needs a table under the heading '## Glossary'"
    table, *_ = rest.split("\n## ")
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    words = [cell.strip(" *`") for cell in cells[2:]]
    assert words, "The glossary is a table with the word in its first column"
    assert words == sorted(words, key=str.lower), "Sort the glossary"
    code = "\n".join(read(path) for path in PYTHON if path.startswith(PACKAGE))
    used = f" {_plain(code)} "
    unused = [word for word in words if not re.search(f" {_plain(word)}s? ", used)]
    assert not unused, f"Delete these from the glossary, or use them in the code: {unused}"


def _plain(text: str) -> str:
    """The words of a text, a name's parts being words too."""
    return " ".join(re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)).lower()
