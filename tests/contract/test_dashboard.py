"""The dashboard and the alerts ask for what is measured, by the names and labels that it has.

That Prometheus understands the expressions is checked by hand, with its own `promtool check rules`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from connector.domain.metrics import METRICS
from tests.running import ROOT

DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text("utf-8"))
SERIES = {
    name: metric
    for metric in METRICS
    for name in (
        [f"{metric.name}_{end}" for end in ("bucket", "count", "sum")]
        if metric.kind == "histogram"
        else [metric.name]
    )
}


def shown() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def alarming() -> list[str]:
    return [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


def labels_in(expression: str) -> Iterator[str]:
    for listed in re.findall(r"by \(([^)]*)\)", expression):
        yield from listed.replace(" ", "").split(",")
    for chosen in re.findall(r"\{([^}]*)\}", expression):
        yield from re.findall(r"(\w+)[=!]", chosen)


def test_every_expression_asks_for_what_is_measured() -> None:
    for expression in shown() + alarming():
        names = re.findall(r"connector_\w+", expression)
        assert names
        assert set(names) <= set(SERIES), expression
        labels = {"le"}.union(*(SERIES[name].labels for name in names))
        assert set(labels_in(expression)) <= labels, expression


def test_every_metric_is_shown() -> None:
    names = {name for expression in shown() for name in re.findall(r"connector_\w+", expression)}
    assert {SERIES[name] for name in names} == set(METRICS)


def test_dashboard_takes_any_data_source_and_nothing_overlaps() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
        at = panel["gridPos"]
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not own & places
        assert at["x"] + at["w"] <= 24
        places |= own
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_metrics_are_named_as_prometheus_asks() -> None:
    """`_total` on what only grows, seconds for times, and nothing on other counts."""
    for metric in METRICS:
        assert re.fullmatch(r"connector_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert metric.help.endswith(".")
