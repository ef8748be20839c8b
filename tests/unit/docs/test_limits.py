"""The page of limits names the constants of the code."""

import re

from local.places import ROOT


def test_the_limits_are_those_of_the_code() -> None:
    code = "\n".join(
        path.read_text() for path in (ROOT / "layers/exporter/cpd_exporter").rglob("*.py")
    )
    rows = re.findall(
        r"^\| (.+) \| ([^|]*`\w+`[^|]*) \|$", (ROOT / "docs/limits.md").read_text(), re.MULTILINE
    )
    assert len(rows) >= 12
    for text, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            found = re.search(rf"^ *{name}(?:: int)? = ([\d_ *]+)$", code, re.MULTILINE)
            assert found, name
            value = 1
            for factor in found[1].split("*"):
                value *= int(factor)
            assert f"{value:,}" in text, (name, value)
