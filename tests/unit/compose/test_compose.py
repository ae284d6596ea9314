"""The Compose file: valid, pinned, private to its machine, and fed from deploy/monitoring."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import COMMAND, DIRECTORY, SERVICES, files
from deploy.image.digests import images_in
from deploy.monitoring import DIRECTORY as MONITORING
from deploy.monitoring.jobs import JOBS
from tests.unit.image.dockerfile import DOCKERFILE, stages

FILE = DIRECTORY / "compose.yaml"
TEXT = FILE.read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
ALL: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in ALL.items() if "build" in service}
THEIRS = {name: service for name, service in ALL.items() if "build" not in service}
JOBS_THAT_END = {"topics", "mgeo"}


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    checker = str(Path(sys.executable).parent / "check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_valid_by_the_compose_specification() -> None:
    outcome = checked(FILE)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_specification_notices_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(TEXT.replace("read_only: true", "readonly: true"))
    assert checked(wrong).returncode != 0


@pytest.mark.parametrize("name", files())
def test_a_committed_file_is_what_the_code_writes(name: str) -> None:
    assert (DIRECTORY / name).read_text("utf-8") == files()[name], f"run `{COMMAND}`"


def test_every_image_of_others_is_pinned_to_one_content() -> None:
    pinned = {f"{image.name}:{image.tag}@sha256:{d}" for image, d in images_in(TEXT).items()}
    assert {service["image"] for service in THEIRS.values()} == pinned
    assert "latest" not in TEXT


def test_every_target_that_is_built_is_in_the_dockerfile() -> None:
    targets = {service["build"]["target"] for service in OURS.values()}
    assert targets <= stages(DOCKERFILE.read_text("utf-8")).keys()
    for name, service in OURS.items():
        assert (FILE.parent / service["build"]["context"] / "Dockerfile").is_file(), name
        assert service["image"] == f"mgeo-stream-{service['build']['target']}:${{MGEO_TAG:-dev}}"


@pytest.mark.parametrize("name", OURS)
def test_our_services_can_change_nothing_but_their_volumes(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert "user" not in service, "the image's own user is not root"


@pytest.mark.parametrize("name", ALL)
def test_a_service_says_how_it_is(name: str) -> None:
    check = ALL[name]["healthcheck"]
    if name in JOBS_THAT_END:
        assert check == {"disable": True}
    else:
        assert check["test"][0] == "CMD"


def test_nobody_starts_before_what_it_needs() -> None:
    assert ALL["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert ALL["gateway"]["depends_on"] == {"worker": {"condition": "service_healthy"}}
    for name in set(SERVICES.values()) - {"gateway"}:
        needed = ALL[name]["depends_on"]
        assert needed == {"topics": {"condition": "service_completed_successfully"}}, name


def test_nothing_is_open_to_other_machines() -> None:
    ports = [port for service in ALL.values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_must_last_lies_in_named_volumes() -> None:
    named = set(COMPOSE["volumes"])
    used = [v.partition(":")[0] for s in ALL.values() for v in s.get("volumes", ())]
    assert named == {volume for volume in used if not volume.startswith(".")}
    for path in (volume for volume in used if volume.startswith(".")):
        assert (FILE.parent / path).exists(), path


def test_prometheus_finds_each_role_where_compose_runs_it() -> None:
    written = yaml.safe_load((DIRECTORY / "prometheus.yml").read_text("utf-8"))
    scraped = {
        one["job_name"]: (one["dns_sd_configs"][0]["names"], one["dns_sd_configs"][0]["port"])
        for one in written["scrape_configs"]
    }
    assert scraped == {job.name: ([SERVICES[job]], job.port) for job in JOBS}
    for job in JOBS:
        given = ALL[SERVICES[job]]["environment"].get("MGEO_PORT")
        assert given in (None, str(job.port))


def test_rules_and_dashboards_are_those_of_the_monitoring_folder() -> None:
    mounts = dict(
        volume.split(":")[:2]
        for name in ("prometheus", "grafana")
        for volume in ALL[name]["volumes"]
    )
    inside = {str((FILE.parent / source).resolve()): place for source, place in mounts.items()}
    assert inside[str(MONITORING / "prometheus/rules")] == "/etc/prometheus/rules"
    provider = yaml.safe_load(
        (MONITORING / "grafana/provisioning/dashboards/mgeo.yml").read_text("utf-8")
    )
    place = provider["providers"][0]["options"]["path"]
    assert inside[str(MONITORING / "grafana/dashboards")] == place
    home = ALL["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{place}/")
    assert (MONITORING / "grafana/dashboards" / Path(home).name).is_file()


def test_the_example_of_settings_names_each_that_there_is() -> None:
    example = (DIRECTORY / ".env.example").read_text("utf-8")
    named = set(re.findall(r"^# ([A-Z_]+)=", example, flags=re.MULTILINE))
    assert named == set(re.findall(r"\$\{([A-Z_]+)", TEXT))


def test_every_setting_has_a_default() -> None:
    """One command is enough: nothing has to be filled in first."""
    assert not re.findall(r"\$\{[A-Z_]+(?!\w*:-)[^}]*\}", TEXT)
