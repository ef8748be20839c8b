"""The page of a status in a headless browser: readable on a phone and on a desk, in any light.

Each case leaves a screenshot in `.local/screenshots`, for a person to look at.
"""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from local.places import SCRATCH
from local.status_page import page
from tests.support.status_answers import long_answer, troubled_answer

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = SCRATCH / "screenshots"
PHONE, DESK = 360, 1440
MIN_FONT_PIXELS = 14
MIN_CONTRAST = 4.5
"""What WCAG 2.2 asks of text (AA)."""

MEASURE = """
<script>
addEventListener("load", () => {
  const inner = document.querySelector("iframe").contentDocument, root = inner.documentElement;
  const light = (text) => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map((one) => {
      const part = text.startsWith("color") ? one : one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = getComputedStyle(inner.body).backgroundColor;
  const texts = [...inner.body.querySelectorAll("*")].filter(
    (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const contrasts = texts.map((one) => {
    const both = [light(getComputedStyle(one).color), light(ground)].sort((a, b) => b - a);
    return (both[0] + 0.05) / (both[1] + 0.05);
  });
  const fonts = texts.map((one) => parseFloat(getComputedStyle(one).fontSize));
  // A percentage and an outcome, each in the second cell of its row.
  const broken = [...inner.querySelectorAll("td:nth-child(2):not(:last-child)")].filter((one) => {
    const range = inner.createRange();
    range.selectNodeContents(one);
    return new Set([...range.getClientRects()].map((line) => line.top)).size > 1;
  });
  document.body.textContent = JSON.stringify({
    width: root.clientWidth, needed: root.scrollWidth, font: Math.min(...fonts),
    contrast: Math.min(...contrasts), ground, texts: texts.length,
    broken: broken.map((one) => one.textContent)});
});
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no headless browser is on the PATH: install one of {', '.join(BROWSERS)}")
    return found


def run(browser: str, folder: Path, html: str, *options: str, is_dark: bool) -> str:
    """Let the browser open a page; returns what it prints."""
    file = folder / "page.html"
    file.write_text(html, "utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    # Root gets no sandbox from Chromium; it opens nothing but this page.
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", scheme]
    done = subprocess.run(  # noqa: S603  # a browser from the PATH
        [browser, *common, f"--user-data-dir={folder / 'profile'}", *options, file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("answer", [troubled_answer(), long_answer()], ids=["short", "long"])
def test_the_page_is_readable_without_zooming(
    browser: str, tmp_path: Path, answer: dict[str, Any], width: int, is_dark: bool
) -> None:
    html = page(answer)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    size = f"{'long' if len(html) > 10_000 else 'short'}-{width}-{'dark' if is_dark else 'light'}"
    picture = SCREENSHOTS / f"{size}.png"
    run(
        browser,
        tmp_path,
        html,
        f"--window-size={width},2400",
        f"--screenshot={picture}",
        is_dark=is_dark,
    )
    assert picture.read_bytes()[16:20] == width.to_bytes(4)

    frame = f'<iframe width="{width}" height="900" srcdoc="{escape(html)}"></iframe>{MEASURE}'
    dom = run(browser, tmp_path, f"<!doctype html>{frame}", "--dump-dom", is_dark=is_dark)
    [found] = re.findall(r"<body>(\{.*\})</body>", unescape(dom), re.DOTALL)
    measured = json.loads(found)
    assert measured["needed"] <= measured["width"], "it must be scrolled sideways"
    assert measured["font"] >= MIN_FONT_PIXELS
    assert measured["contrast"] >= MIN_CONTRAST
    assert (measured["ground"] == "rgb(255, 255, 255)") is not is_dark
    assert measured["texts"] > 20
    assert measured["broken"] == []
