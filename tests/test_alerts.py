"""Metrics, alerts, runbooks and the dashboard name each other, and nothing that is not there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from api.metrics.registry import METRICS, PREFIX
from tests.installation import Installation
from tests.service import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RULES_TEST = RULES.with_name("rules_test.yml")
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
METRICS_PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text("utf-8")

BY_NAME = {PREFIX + metric.name: metric for metric in METRICS}
ALERTS = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
CASES = yaml.safe_load(RULES_TEST.read_text("utf-8"))["tests"]
PANELS = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def documented() -> dict[str, tuple[str, ...]]:
    """Type, labels, meaning and example of each metric, as the page has them."""
    cells = re.findall(rf"^\| `({PREFIX}\w+)` (.*) \|$", METRICS_PAGE, re.MULTILINE)
    return {name: tuple(each.strip() for each in row[1:].split("|")) for name, row in cells}


def queries() -> list[str]:
    """Every query of alerts, dashboard and page."""
    panels = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    examples = [row[3].strip("`") for row in documented().values()]
    return [*(alert["expr"] for alert in ALERTS), *panels, *examples]


def metric_named(name: str):
    """The metric whose sample has this name; None where there is none."""
    if found := BY_NAME.get(name):
        return found if found.kind != "histogram" else None
    found = BY_NAME.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return found if found and found.kind == "histogram" else None


def test_every_metric_is_documented_as_it_is_and_nothing_else():
    assert list(documented()) == list(BY_NAME)
    for name, (kind, labels, meaning, _) in documented().items():
        metric = BY_NAME[name]
        assert (kind, meaning) == (metric.kind, metric.meaning)
        assert labels == ", ".join(f"`{label}`" for label in metric.labels)


def test_every_example_asks_for_its_own_metric():
    for name, (*_, example) in documented().items():
        assert name in example


@pytest.mark.parametrize("query", queries())
def test_queries_ask_for_metrics_and_labels_that_there_are(query):
    names = re.findall(rf"{PREFIX}\w+", query)
    assert names or query.startswith("up{")
    assert [name for name in names if metric_named(name) is None] == []
    for name, matchers in re.findall(rf"({PREFIX}\w+)\{{([^}}]*)\}}", query):
        labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
        assert labels <= {*metric_named(name).labels, *LABELS_OF_PROMETHEUS}
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", query)
    labels = {label.strip() for group in grouped for label in group.split(",")}
    known = {label for name in names for label in metric_named(name).labels}
    assert labels <= known | LABELS_OF_PROMETHEUS


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_has_a_runbook_that_says_what_it_means_how_to_look_and_what_to_do(alert):
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert (ROOT / page).samefile(ROOT / "docs" / "runbooks.md")
    assert anchor == alert["alert"].lower()
    section = RUNBOOKS.split(f"\n## {alert['alert']}\n")[1].split("\n## ")[0]
    assert all(word in section for word in ("**Means**", "**Look**", "**Do**", "```bash"))
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_every_runbook_is_of_an_alert():
    assert re.findall(r"^## (.*)$", RUNBOOKS, re.MULTILINE) == [each["alert"] for each in ALERTS]


def test_runbooks_point_at_sections_that_there_are():
    sections = {heading.lower() for heading in re.findall(r"^## (.*)$", RUNBOOKS, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", RUNBOOKS)) <= sections


def test_every_alert_is_tested_where_it_fires_and_where_it_does_not():
    tested = [rule for case in CASES for rule in case["alert_rule_test"]]
    names = {alert["alert"] for alert in ALERTS}
    assert {rule["alertname"] for rule in tested if rule["exp_alerts"]} == names
    assert {rule["alertname"] for rule in tested if not rule["exp_alerts"]} == names


def test_the_panels_of_the_dashboard_say_what_they_show_and_lie_beside_each_other():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken
        taken |= cells
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or (panel["description"] and panel["targets"])


def promtool(*arguments: str, given: str | None = None) -> str:
    """What it prints, where it finds nothing wrong."""
    done = subprocess.run([PROMTOOL, *arguments], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_the_alerts_are_valid():
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(RULES))


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then():
    promtool("test", "rules", str(RULES_TEST))


@needs_promtool
def test_the_queries_of_page_and_dashboard_are_valid(tmp_path):
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$job", "export-tasks")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an operator beside a running service that has made a file."""
    home = Home(tmp_path_factory.mktemp("evening"))
    home.batch(5)
    service = home.serve()
    commands = tmp_path_factory.mktemp("bin")
    command = commands / "export-tasks"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scripts.cli "$@"\n')
    command.chmod(0o755)
    path = f"{commands}:{home.environment['PATH']}"
    yield {**home.environment, "ENDPOINT": service.endpoint, "PATH": path}
    assert service.stop() == 0
    home.close()


@pytest.mark.parametrize("block", dict.fromkeys(re.findall(r"```bash\n(.*?)```", RUNBOOKS, re.S)))
def test_the_commands_of_the_runbooks_run(evening, block):
    script = f"set -euo pipefail\n{block}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=evening,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_runbook_of_failing_tasks_shows_which_failed_and_of_what(tmp_path):
    (look,) = re.findall(r"^export-tasks .*failed.*$", RUNBOOKS, re.M)
    made = Installation(Home(tmp_path))
    failed = made.create(24 * "a")
    made.export()
    command = [sys.executable, "-m", "scripts.cli", "event", "list"]
    done = subprocess.run(
        ["bash", "-c", look.replace("export-tasks event list", shlex.join(command))],
        env=made.home.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert failed in line
    assert re.search(r"code=IOTDA\.\d+ message=\S", line)
    made.home.close()


@needs_promtool
def test_the_real_page_is_as_prometheus_asks(evening):
    curl = ["curl", "-s", f"{evening['ENDPOINT']}/metrics"]
    page = subprocess.run(curl, capture_output=True, text=True, check=True).stdout
    assert f"# TYPE {PREFIX}queue_depth gauge" in page
    promtool("check", "metrics", given=page)
