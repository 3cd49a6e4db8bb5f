"""The page of cells in a real browser: nothing is cut off at a phone's width, nothing is fetched.

Debian packages: chromium.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from buildtools.wheelhouse.page import STATES, render_page
from tests.unit.wheelhouse.sample_cells import PYTHONS, SUMMARIES, TARGETS, sample

SECONDS = 180
MEASURE = """
<script>
addEventListener("load", () => {
  const wide = innerWidth;
  const seen = e => e.getClientRects().length > 0;
  const cells = [...document.querySelectorAll("td[data-python]")];
  const out = [...document.querySelectorAll("body *")].filter(
    e => seen(e) && !e.closest(".skip, .hidden, caption")
      && e.getBoundingClientRect().right > wide + 1);
  const facts = {
    wide, scroll: document.documentElement.scrollWidth,
    cells: cells.filter(seen).length,
    out: out.map(e => e.tagName + "." + e.className),
    small: [...document.querySelectorAll("main a, main summary, main .word, main .how")]
      .filter(e => seen(e) && parseFloat(getComputedStyle(e).fontSize) < 12).length,
    head: getComputedStyle(document.querySelector("main thead")).display,
    ground: getComputedStyle(document.body).backgroundColor,
    fetched: performance.getEntriesByType("resource").length,
  };
  const note = document.createElement("pre");
  note.id = "facts";
  note.textContent = JSON.stringify(facts);
  document.body.append(note);
});
</script>
"""
"""Only the copy that is measured has a script."""


def browser() -> str:
    found = shutil.which("chromium")
    if found is None:
        message = "chromium is not on this machine: Debian's package is chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def rendered(page: Path, width: int, *options: str) -> dict[str, object]:
    """What the browser made of the page at a width: the facts that the script above wrote down."""
    words = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={page.parent}/profile-{width}", f"--window-size={width},900",
        *options, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True)
    found = re.search(r'<pre id="facts">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    facts: dict[str, object] = json.loads(found[1].replace("&gt;", ">").replace("&amp;", "&"))
    return facts


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    text = render_page(sample(), summaries=SUMMARIES, tool="0.1")
    path.write_text(text.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "head"), [(1280, "table-header-group"), (500, "none")])
def test_everything_is_seen_and_nothing_is_cut_off(page: Path, width: int, head: str) -> None:
    """Chromium's headless window is 500 wide at least; a phone's width is the next test."""
    facts = rendered(page, width)
    assert facts["wide"] == width
    assert facts["out"] == []
    assert facts["scroll"] == width
    assert facts["cells"] == len(SUMMARIES) * len(TARGETS) * len(PYTHONS)
    assert facts["small"] == 0
    assert facts["head"] == head
    assert facts["fetched"] == 0


def test_a_phone_sees_all_of_it(page: Path) -> None:
    """In a frame of a phone's width, which the page takes for its window."""
    frame = page.with_name("phone.html")
    inner = page.read_text(encoding="utf-8").replace("&", "&amp;").replace('"', "&quot;")
    frame.write_text(
        f'<body style="margin:0"><iframe width="390" height="9000" srcdoc="{inner}"></iframe>'
        "<script>addEventListener('load', () => {"
        "const pre = document.createElement('pre'); pre.id = 'facts';"
        "pre.textContent = document.querySelector('iframe').contentDocument"
        ".querySelector('#facts').textContent; document.body.append(pre)})</script>",
        encoding="utf-8",
    )
    facts = rendered(frame, 1280)
    assert facts["wide"] == 390
    assert facts["out"] == []
    assert facts["scroll"] == 390
    assert facts["head"] == "none"
    assert facts["cells"] == len(SUMMARIES) * len(TARGETS) * len(PYTHONS)


def test_in_the_dark_it_is_dark(page: Path) -> None:
    light = rendered(page, 1280)
    dark = rendered(page, 1281, "--blink-settings=preferredColorScheme=0")
    assert light["ground"] == "rgb(251, 251, 249)"
    assert dark["ground"] == "rgb(20, 22, 26)"


def test_it_can_be_photographed(page: Path, tmp_path: Path) -> None:
    shot = tmp_path / "page.png"
    words = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000",
        f"--user-data-dir={tmp_path}/profile", f"--screenshot={shot}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(words, capture_output=True, timeout=SECONDS, check=True)
    content = shot.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (1280, 1000)
    assert len(content) > 20_000, "an empty page makes a small picture"
    assert len(STATES) == 4
