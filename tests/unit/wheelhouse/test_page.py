"""The page of cells: each cell with its word, its way and its reason; nothing from outside runs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from buildtools.wheelhouse import CellRecord, Provenance, Wheelhouse, note_cell, write_page
from buildtools.wheelhouse.page import STATES, Shown, render_page
from buildtools.wheelhouse.publishing import shown_cells
from tests.unit.wheelhouse.sample_cells import PYTHONS, SUMMARIES, TARGETS, sample
from tests.unit.wheels.making import Making

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """What stands in a page: elements with their attributes and text, ids, and what is unclosed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(k) == v for k, v in wanted.items())
        ]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_page(sample(), summaries=SUMMARIES, tool="0.1"))


def test_every_cell_is_there_once_with_its_state(page: Page) -> None:
    assert page.open == []
    cells = [one for one in page.all("td") if one.get("data-python")]
    assert len(cells) == len(SUMMARIES) * len(TARGETS) * len(PYTHONS)
    shown = [one.record.state for one in sample()]
    for state in STATES:
        assert sum(one["class"] == state for one in cells) == shown.count(state)
    assert sum(one["class"] == "untried" for one in cells) == 1
    squares = [one for one in page.all("a") if one.get("class", "").startswith("square ")]
    assert len(squares) == len(shown)


def test_every_link_within_the_page_has_its_place_and_ids_are_single(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    inner = [one["href"][1:] for one in page.all("a") if one["href"].startswith("#")]
    assert inner
    assert set(inner) <= set(ids)


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    text = render_page(sample(), summaries=SUMMARIES, tool="0.1")
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.elements}
    assert not re.search(r"url\(|@import|https?:|//[a-z]", text)
    assert all(not one["href"].startswith(("/", "http")) for one in page.all("a"))


def test_a_reader_that_does_not_see_it_hears_the_same(page: Page) -> None:
    assert page.all("html", lang="en")
    assert len(page.all("caption")) == len(page.all("table")) == 1 + len(SUMMARIES)
    assert all(one.get("scope") in {"col", "row"} for one in page.all("th"))
    words = [one.strip() for one in page.texts]
    for state in STATES:
        assert any(state in word for word in words)
    labels = [one["aria-label"] for one in page.all("a") if "aria-label" in one]
    assert "wheel of mysqlclient, linux/x86_64/glibc2.28, Python 3.11" in labels
    assert len(set(labels)) == len(labels)


def test_a_cell_without_a_wheel_says_why_in_full(page: Page) -> None:
    missing = next(one.record for one in sample() if one.record.state == "missing")
    assert missing.reason in page.texts
    assert "why there is none" in page.texts


def test_words_from_outside_stay_words() -> None:
    evil = '<script>alert(1)</script>" onload="x'
    record = CellRecord(
        driver=evil, target=evil, python=evil, state=evil, how=evil, reason=evil * 9, version=evil
    )
    record = replace(record, runner=evil, notes=(evil,), backend=evil)
    shown = [Shown(record=record, wheel='sha256/a"b<', log="javascript:alert(1)")]
    found = Page(render_page(shown, summaries={evil: evil}, tool=evil))
    assert found.open == []
    assert not found.all("script")
    assert not [a for _, a in found.elements if "onload" in a]
    assert not [one for one in found.all("a") if one["href"].startswith("javascript:")]


def test_the_stores_page_links_wheels_and_logs_that_are_there(tmp_path: Path) -> None:
    house = Wheelhouse(tmp_path / "house")
    log = tmp_path / "build.log"
    log.write_text("compiled\n")
    provenance = Provenance(
        driver="sample", target="linux/x86_64/glibc2.28/cp311", python="cp311", backend="zig",
        source="sdist",
    )  # fmt: skip
    stored = house.add(Making().write(tmp_path / "in"), provenance, log=log)
    record = CellRecord(
        driver="sample",
        target="linux/x86_64/glibc2.28",
        python="cp311",
        state="executed",
        sha256=stored.sha256,
    )
    (only,) = shown_cells(house)
    assert only.record.state == "static"
    note_cell(house.root, record)
    lost = replace(record, python="cp312", state="missing", sha256="", log="../../etc/passwd")
    note_cell(house.root, lost)
    note_cell(house.root, replace(record, python="cp313", sha256="ab" * 32))
    here, empty, gone = shown_cells(house)
    assert (house.root / here.wheel).read_bytes() == stored.path.read_bytes()
    assert (house.root / here.log).read_text() == "compiled\n"
    assert (empty.wheel, empty.log) == ("", "")
    assert (gone.record.state, gone.record.reason) == ("missing", "its wheel was removed")
    path = write_page(house, summaries={"sample": "a sample"}, tool="0.1")
    assert path == house.root / "index.html"
    links = [one["href"] for one in Page(path.read_text()).all("a")]
    assert here.wheel in links


def test_an_empty_store_has_a_page_too(tmp_path: Path) -> None:
    path = write_page(Wheelhouse(tmp_path / "house"), summaries={}, tool="0.1")
    assert "There is nothing here yet" in path.read_text()
