"""The Grafana dashboard asks for metrics that exist, and shows every one that does."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from database_consumer.metrics import Metrics

NAME = re.compile(r"database_consumer_[a-z_]+")


def dashboard() -> dict[str, Any]:
    text = files("database_consumer").joinpath("grafana_dashboard.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def asked() -> set[str]:
    return {
        name
        for panel in dashboard()["panels"]
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }


def test_every_metric_that_the_dashboard_asks_for_exists() -> None:
    names = Metrics().names()
    assert asked() - names == set()
    for variable in dashboard()["templating"]["list"]:
        assert set(NAME.findall(str(variable["query"]))) <= names


def test_every_metric_is_shown_somewhere() -> None:
    endings = ("_bucket", "_count", "_sum", "_created", "_total", "_info")

    def family(name: str) -> str:
        return next((name.removesuffix(one) for one in endings if name.endswith(one)), name)

    assert {family(one) for one in Metrics().names()} == {family(one) for one in asked()}


def test_panels_have_places_and_ids_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
