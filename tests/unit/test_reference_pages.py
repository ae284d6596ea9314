"""The reference pages are those of the code, whole, and hold nothing of anybody's machine."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.metrics import ALL_METRICS
from contracts.settings import MgeoSettings
from contracts.topics import TopicNames, standard_topics
from deploy import reference
from deploy.reference.metrics import shown_name
from deploy.reference.settings import settings_models

ROOT = Path(__file__).parents[2]
PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_generates(name: str) -> None:
    on_disk = (reference.DIRECTORY / name).read_text("utf-8")

    assert on_disk == PAGES[name], (
        f"docs/reference/{name} is behind the code: run `{reference.COMMAND}`"
    )


def test_another_machine_with_other_settings_generates_the_same(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from deploy import reference as r; r.write(pathlib.Path(sys.argv[1]))"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "7",
        "HOME": str(tmp_path / "home-of-canary"),
        "USER": "canary",
        "MGEO_KAFKA_SASL_PASSWORD": "canary-password",
        "MGEO_KAFKA_BOOTSTRAP_SERVERS": "canary:9092",
        "MGEO_LIMITS": '{"max_addresses": 77}',
    }

    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)

    assert {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.*")} == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_no_page_tells_of_the_machine_it_was_made_on(name: str) -> None:
    page = PAGES[name]

    for private in (str(Path.home()), str(ROOT), socket.gethostname(), f"/{getpass.getuser()}/"):
        assert len(private) < 4 or private not in page
    assert re.search(r"(?<![\w.])/(home|root|Users|tmp|work|var)/", page) is None
    assert " object at 0x" not in page
    assert "<class " not in page


def test_every_setting_has_its_variable_and_says_what_it_is_for() -> None:
    page = PAGES["settings.md"]
    models = settings_models()

    assert {"KafkaSettings", "ParserSettings"} <= {model.__name__ for model in models}
    for model in models:
        for name, field in model.model_fields.items():
            assert f"| `{variable(model, name)}` |" in page, name
            assert field.description, f"{model.__name__}.{name} needs a docstring below it"


def test_one_variable_has_one_default_in_all_models() -> None:
    defaults: dict[str, set[str]] = {}
    for model in settings_models():
        for name, field in model.model_fields.items():
            defaults.setdefault(variable(model, name), set()).add(repr(field.default))

    differing = {name for name, values in defaults.items() if len(values) > 1}
    # Each server has a host and a port of its own, said on its command line.
    assert differing <= {"MGEO_HOST", "MGEO_PORT"}


def variable(model: type[MgeoSettings], name: str) -> str:
    return f"{model.model_config['env_prefix']}{name}".upper()


def test_every_metric_and_every_topic_is_there() -> None:
    for spec in ALL_METRICS:
        assert f"| `{shown_name(spec)}` |" in PAGES["metrics.md"]
    for topic in standard_topics(TopicNames()):
        assert f"| `{topic.name}` |" in PAGES["topics.md"]


def test_names_and_labels_of_metrics_are_sound_and_unique() -> None:
    names = [spec.name for spec in ALL_METRICS]
    assert len(names) == len(set(names))
    for spec in ALL_METRICS:
        assert re.fullmatch(r"mgeo_[a-z0-9_]+", spec.name)
        assert not spec.name.endswith("_total"), "the client adds it"
        assert (spec.kind == "histogram") == bool(spec.buckets)
        assert list(spec.buckets) == sorted(set(spec.buckets))
        assert not {"text", "address", "id", "batch_id", "source", "key"} & set(spec.labels)


def test_links_between_the_pages_of_the_reference_lead_somewhere() -> None:
    for name, page in PAGES.items():
        for target in re.findall(r"\]\(([^)#]+)\)", page):
            assert (reference.DIRECTORY / target).exists(), f"{name}: {target}"
