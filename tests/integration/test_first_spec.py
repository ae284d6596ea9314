"""MGEO_VERSION: what it may say, and that the spec named without a model is the model's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from consumer.parser.model import load_model
from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.add import add_directory
from consumer.store.backends import open_files
from consumer.store.cache import ModelCache
from consumer.store.first_spec import first_spec, spec_of
from consumer.store.hub_add import add_from_hub
from consumer.store.manifest import ModelSource
from consumer.store.naming import derive_version, resolve_name
from consumer.store.release import write_release
from consumer.store.source import HubModel
from consumer.store.starters import StarterReleases
from consumer.store.store import ModelStore
from contracts.errors import UsageError
from tests.hub.commands import hub_with_a_model
from tests.hub.publishing import TAGGING, publish_tiny
from tests.hub.stand_in import StandInHub, commit_of
from tests.models.tiny import write_tiny_checkpoint

VERSION = "mgeo-tiny-v1-20261101"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> ParserSettings:
    return ParserSettings(
        model_store=str(tmp_path / "store"),
        model_cache=tmp_path / "cache",
        version=VERSION,
        device="cpu",
    )


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with hub_with_a_model(tmp_path, monkeypatch) as running:
        publish_tiny(running, "v1.1.0", seed=2)
        yield running


def add_tiny(settings: ParserSettings, directory: Path, version: str = VERSION) -> None:
    add_directory(
        open_store(settings),
        directory,
        version=version,
        source=ModelSource(kind="directory"),
        created=NOW,
    )


@pytest.mark.parametrize("temperature", [None, 1.7])
@pytest.mark.parametrize("sequence_length", [64, 512])
def test_the_first_spec_is_that_of_the_loaded_model(
    settings: ParserSettings, tmp_path: Path, temperature: float | None, sequence_length: int
) -> None:
    model = write_tiny_checkpoint(tmp_path / "model", seed=1, positions=128)
    if temperature is not None:
        (model / "calibration.json").write_text(json.dumps({"temperature": temperature}))
    settings = settings.model_copy(update={"sequence_length": sequence_length})
    add_tiny(settings, model)
    opened = open_store(settings).open(VERSION)
    loaded = load_model(opened.directory, version=VERSION, digest=opened.digest, settings=settings)
    assert first_spec(settings, now=NOW) == loaded.spec


def test_a_release_of_the_package_needs_no_adding(settings: ParserSettings, tmp_path: Path) -> None:
    """In the hub's own layout, with its configuration.json, straight from the trainer."""
    root = tmp_path / "releases"
    release = write_tiny_checkpoint(root / VERSION, seed=3, safetensors=True)
    (release / "calibration.json").write_text('{"temperature": 1.2}')
    write_release(release, version=VERSION, source=ModelSource(kind="trained"), created=NOW)
    store = ModelStore(
        open_files(str(tmp_path / "store")), ModelCache(tmp_path / "cache"), StarterReleases(root)
    )
    opened = store.open(VERSION)
    assert "configuration.json" in {file.name for file in opened.manifest.files}
    loaded = load_model(opened.directory, version=VERSION, digest=opened.digest, settings=settings)
    assert spec_of(store, VERSION, settings) == loaded.spec


def test_a_precision_may_be_named_with_the_version(
    settings: ParserSettings, tmp_path: Path
) -> None:
    add_tiny(settings, write_tiny_checkpoint(tmp_path / "model", seed=1))
    for name, precision in ((VERSION, "fp32"), (f"{VERSION}@fp16", "fp16")):
        spec = first_spec(settings.model_copy(update={"version": name}), now=NOW)
        assert (spec.version, spec.precision) == (VERSION, precision)


def test_naming_a_spec_loads_no_network_library(settings: ParserSettings, tmp_path: Path) -> None:
    add_tiny(settings, write_tiny_checkpoint(tmp_path / "model", seed=1))
    code = (
        "import sys; from datetime import UTC, datetime\n"
        "from consumer.settings import ParserSettings\n"
        "from consumer.store.first_spec import first_spec\n"
        f"s = ParserSettings(model_store={settings.model_store!r}, version={VERSION!r},"
        f" model_cache={str(settings.model_cache)!r}, device='cpu')\n"
        "print(first_spec(s, now=datetime.now(UTC)).version)\n"
        "print({'torch', 'tokenizers', 'transformers', 'modelscope'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.split("\n")[:2] == [VERSION, "set()"]


def test_a_hub_id_means_the_newest_model_added_from_it(
    settings: ParserSettings, hub: StandInHub
) -> None:
    store = open_store(settings)
    for day, revision in ((1, "v1.0.0"), (2, "v1.1.0")):
        add_from_hub(
            store,
            HubModel(TAGGING, revision),
            cache=Path(str(settings.model_cache)),
            now=NOW.replace(day=day),
        )
    hub.stop()
    newest, oldest = "mgeo-base-v110-20261102", "mgeo-base-v100-20261101"
    assert resolve_name(store, TAGGING).version == newest
    assert resolve_name(store, TAGGING.replace("damo/", "iic/")).version == newest
    assert resolve_name(store, f"modelscope:{TAGGING}@v1.0.0").version == oldest
    assert store.find(oldest).manifest.source == ModelSource(
        kind="modelscope", hub_id=TAGGING, revision="v1.0.0"
    )
    assert first_spec(settings.model_copy(update={"version": TAGGING}), now=NOW).version == newest


@pytest.mark.usefixtures("hub")
def test_a_hub_id_that_was_never_added_is_fetched_and_added_once(
    settings: ParserSettings,
) -> None:
    settings = settings.model_copy(update={"version": TAGGING})
    said: list[str] = []
    spec = first_spec(settings, now=NOW, notice=said.append)
    commit = commit_of("v1.1.0")
    assert spec.version == f"mgeo-base-{commit[:12]}-20261123"
    assert any(commit in line for line in said)
    assert any(spec.version in line and spec.digest in line for line in said)
    said.clear()
    assert first_spec(settings, now=NOW.replace(month=12), notice=said.append) == spec
    assert said == []


def test_without_the_hub_a_hub_id_is_an_error_that_says_the_command(
    settings: ParserSettings, hub: StandInHub
) -> None:
    hub.stop()
    settings = settings.model_copy(update={"version": f"{TAGGING}@v1.0.0"})
    with pytest.raises(UsageError) as refused:
        first_spec(settings, now=NOW, fetch=False)
    assert refused.value.code == "unknown_version"
    assert f"mgeo model add modelscope:{TAGGING}@v1.0.0 --version" in refused.value.hint


@pytest.mark.parametrize(
    ("model", "version"),
    [
        (HubModel(TAGGING, "v1.2.0"), "mgeo-base-v120-20261123"),
        (HubModel(TAGGING, "a" * 40), f"mgeo-base-{'a' * 12}-20261123"),
        (HubModel("me/My_Fine.Tune", "v2"), "my-fine-tune-v2-20261123"),
        (HubModel("me/x___", None), "x-hub-20261123"),
    ],
)
def test_a_derived_version_is_a_version(model: HubModel, version: str) -> None:
    assert derive_version(model, date(2026, 11, 23)) == version
