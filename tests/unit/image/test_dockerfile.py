"""What the Dockerfile promises, as far as it can be seen without building it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.image.digests import images_in
from tests.unit.image.dockerfile import DOCKERFILE, copied_layers, effective, stages

TEXT = DOCKERFILE.read_text("utf-8")
STAGES = stages(TEXT)
ROLES = ("controller", "gateway", "worker", "worker-cuda")
ROOT = DOCKERFILE.parent


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "hadolint"
    return subprocess.run([program, str(file)], capture_output=True, text=True, check=False)


def test_it_is_clean_by_hadolint() -> None:
    outcome = hadolint(DOCKERFILE)
    assert outcome.returncode == 0, outcome.stdout


def test_hadolint_notices_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(TEXT.replace('CMD ["worker"]', "CMD worker"))
    assert "DL3025" in hadolint(wrong).stdout


def test_a_plain_build_makes_the_worker_for_processors() -> None:
    assert list(STAGES)[-1] == "worker"
    assert not any("cuda" in layer for layer in copied_layers(STAGES, "worker"))


@pytest.mark.parametrize("role", ["controller", "gateway"])
def test_a_role_that_runs_no_model_has_no_torch(role: str) -> None:
    assert copied_layers(STAGES, role) == ["core:/layers/core", "code:/layers/code"]


@pytest.mark.parametrize("role", ["worker", "worker-cuda"])
def test_a_release_of_ours_is_a_small_layer_above_torch(role: str) -> None:
    layers = [layer.partition(":")[2] for layer in copied_layers(STAGES, role)]
    assert layers == ["/layers/core", "/layers/torch", "/layers/worker", "/layers/code", "/store"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_runs_as_a_user_with_a_number_that_is_not_roots(role: str) -> None:
    user = effective(STAGES, role, "USER")
    assert user is not None
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@pytest.mark.parametrize("role", ROLES)
def test_the_program_itself_gets_the_signals(role: str) -> None:
    """In the shell form a shell would be process 1, and SIGTERM would end there."""
    assert json.loads(effective(STAGES, role, "ENTRYPOINT") or "") == ["mgeo"]
    assert isinstance(json.loads(effective(STAGES, role, "CMD") or ""), list)
    assert effective(STAGES, role, "STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_how_it_is(role: str) -> None:
    check = effective(STAGES, role, "HEALTHCHECK") or ""
    command = json.loads(check.partition("CMD ")[2])
    assert command[:3] == ["python", "-m", "deploy.image.probe"]
    assert command[3] == role.removesuffix("-cuda")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_what_it_was_built_from(role: str) -> None:
    label = STAGES[role].last("LABEL") or ""
    for name in ("version", "revision", "source"):
        assert f'org.opencontainers.image.{name}="${{{name.upper()}}}"' in label
        assert ("ARG", f"{name.upper()}=") in STAGES[role].steps


@pytest.mark.parametrize("parts", ["parts-cpu", "parts-cuda"])
def test_a_worker_may_have_packages_beside_and_has_none_unasked(parts: str) -> None:
    steps = STAGES[parts].steps
    assert steps[0] == ("ARG", "EXTRA_PACKAGES=")
    assert '/layers/worker worker --extra "${EXTRA_PACKAGES}"' in steps[1][1]


def test_every_base_is_pinned_to_one_content() -> None:
    (pinned,) = images_in(TEXT)
    given = {stage.base for stage in STAGES.values() if stage.base not in STAGES}
    assert given == {"${PYTHON_IMAGE}"}
    assert pinned.repository == "library/python"


def test_every_package_of_ours_is_copied() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        tools = tomllib.load(file)["tool"]["setuptools"]
    packages = {name.removesuffix("*") for name in tools["packages"]["find"]["include"]}
    copied = " ".join(arguments for _, arguments in STAGES["code"].steps)
    for name in (*packages, *(f"{module}.py" for module in tools["py-modules"])):
        assert name in copied.split(), name


def test_the_test_image_runs_the_test_command() -> None:
    assert json.loads(STAGES["test"].last("CMD") or "") == ["make", "test"]


def test_no_secret_is_an_argument() -> None:
    """Arguments of a build can be read from the image for ever."""
    arguments = re.findall(r"^ARG (\w+)", TEXT, flags=re.MULTILINE)
    assert not [name for name in arguments if re.search("TOKEN|PASSWORD|SECRET|KEY", name)]
