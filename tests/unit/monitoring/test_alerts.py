"""Each alert fires in its case and not in the neighbouring one: promtool says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.monitoring import files
from deploy.monitoring.alerts import alert_groups
from deploy.monitoring.prometheus import RULES_FILE, rules_document
from deploy.monitoring.rules import SEVERITIES, Alert
from deploy.monitoring.settings import ObjectiveSettings
from tests.unit.monitoring.alert_cases import CASES

ALERTS = {
    alert.name: alert for group in alert_groups(ObjectiveSettings()).values() for alert in group
}
RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
SECTIONS = ("## What it means", "## See it", "## What to do", "## Over when")

with_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not here (Debian: apt-get install prometheus)",
)


def promtool(*arguments: str, folder: Path) -> str:
    """What it says; an assertion when it says no."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules_of(alert: str) -> dict[str, object]:
    """The recording rules and this one alert: the others would only take time."""
    groups = rules_document(ObjectiveSettings())["groups"]
    kept = [
        {**group, "rules": [rule for rule in group["rules"] if rule.get("alert") in (None, alert)]}
        for group in groups
    ]
    return {"groups": [group for group in kept if group["rules"]]}


def test_of_every_alert_there_is_a_case_in_which_it_fires_and_one_in_which_not() -> None:
    assert set(CASES) == set(ALERTS)
    for name, cases in CASES.items():
        fires = {bool(case.fires) for case in cases}
        assert fires == ({True} if name == "MgeoAlertingAlive" else {True, False}), name


@with_promtool
@pytest.mark.parametrize("name", CASES)
def test_it_fires_in_its_case_and_not_in_the_neighbouring_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules_of(name)))
    firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    tests = [
        {
            "name": case.story,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values} for series, values in case.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": firing,
                    "eval_time": f"{case.at}m",
                    "exp_samples": [{"labels": "{}", "value": case.fires}],
                }
            ],
        }
        for case in CASES[name]
    ]
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", "tests.yml", folder=tmp_path)


@with_promtool
def test_a_case_that_does_not_hold_is_noticed(tmp_path: Path) -> None:
    """The same machinery with an alert that can never fire."""
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up > 2"}]}]})
    )
    expected = {
        "expr": 'count(ALERTS{alertname="A",alertstate="firing"}) or vector(0)',
        "eval_time": "1m",
        "exp_samples": [{"labels": "{}", "value": 1}],
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": "up", "values": "1x5"}],
        "promql_expr_test": [expected],
    }
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]})
    )
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", "tests.yml", folder=tmp_path)


@with_promtool
def test_prometheus_reads_what_is_written(tmp_path: Path) -> None:
    for name, content in files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert "SUCCESS" in promtool(
        "check", "config", "prometheus.yml", folder=tmp_path / "prometheus"
    )
    promtool("check", "rules", RULES_FILE, folder=tmp_path / "prometheus")


@pytest.mark.skipif(
    shutil.which("amtool") is None,
    reason="amtool is not here (Debian: apt-get install prometheus-alertmanager)",
)
def test_alertmanager_reads_what_is_written_and_routes_by_severity(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(files()["alertmanager/alertmanager.yml"])
    subprocess.run(["amtool", "check-config", path], check=True, capture_output=True)
    for alert, receiver in {
        "MgeoNoReadyWorker": "pager",
        "MgeoDeadLetters": "tickets",
        "MgeoRolloutPaused": "chat",
        "MgeoAlertingAlive": "dead-mans-switch",
    }.items():
        labels = [f"alertname={alert}", f"severity={ALERTS[alert].severity}"]
        routed = subprocess.run(
            ["amtool", "config", "routes", "test", f"--config.file={path}", *labels],
            check=True,
            capture_output=True,
            text=True,
        )
        assert routed.stdout.strip() == receiver


def test_what_keeps_what_quiet_names_alerts_that_exist() -> None:
    document = yaml.safe_load(files()["alertmanager/alertmanager.yml"])
    for rule in document["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for name in matcher.split('"')[1].split("|"):
                assert name in ALERTS


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_says_what_to_do_and_has_its_page(alert: Alert) -> None:
    assert alert.severity in SEVERITIES
    assert alert.summary
    assert len(alert.description) > 60
    page = (RUNBOOKS / f"{alert.name}.md").read_text("utf-8")
    assert page.startswith(f"# {alert.name}\n")
    places = [page.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert f"**{alert.severity}**" in page


def test_there_is_no_page_without_an_alert() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)


def test_the_index_of_the_pages_lists_each_with_its_severity() -> None:
    index = (RUNBOOKS / "README.md").read_text("utf-8")
    for alert in ALERTS.values():
        assert f"[{alert.name}]({alert.name}.md) | {alert.severity} |" in index


def test_objectives_are_written_into_the_rules() -> None:
    usual = files()[f"prometheus/{RULES_FILE}"]
    other = files(
        ObjectiveSettings(
            objective_service_p99_ms=250,
            alert_lag_records=77_000,
            runbook_base_url="https://wiki.example.org/mgeo/",
        )
    )[f"prometheus/{RULES_FILE}"]
    assert "> 0.25" in other
    assert "> 0.25" not in usual
    assert "77000" in other
    assert "https://wiki.example.org/mgeo/MgeoStalled.md" in other
