"""Versions in, verified directories out: for a local directory and for a shared place."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from consumer.store.backends import open_files
from consumer.store.cache import ModelCache
from consumer.store.manifest import ModelSource
from consumer.store.release import write_release
from consumer.store.starters import StarterReleases
from consumer.store.store import ModelStore
from contracts.errors import FatalError, TransientError, UsageError
from tests.models.releases import CREATED, prepared_release, write_prepared

VERSION = "mgeo-test-v1-20261101"
OTHER = "mgeo-test-v2-20261201"


@pytest.fixture(params=["local", "file", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        name = uuid.uuid4().hex
        yield f"memory://{name}"
        memory = fsspec.filesystem("memory")
        if memory.exists(name):
            memory.rm(name, recursive=True)
    else:
        prefix = "file://" if request.param == "file" else ""
        yield f"{prefix}{tmp_path / 'store'}"


@pytest.fixture
def store(location: str, tmp_path: Path) -> ModelStore:
    return new_store(location, tmp_path)


def new_store(location: str, tmp_path: Path, cache: str = "cache") -> ModelStore:
    return ModelStore(
        open_files(location), ModelCache(tmp_path / cache), StarterReleases(tmp_path / "starters")
    )


def put(store: ModelStore, directory: Path, *, version: str = VERSION, seed: int = 1) -> None:
    store.put(directory, prepared_release(directory, version=version, seed=seed))


def stored_blob(store: ModelStore, name: str) -> tuple[str, int]:
    file = store.find(VERSION).manifest.file(name)
    return f"blobs/sha256/{file.sha256}", file.size_bytes


def overwrite(location: str, path: str, data: bytes) -> None:
    if location.startswith("memory://"):
        fsspec.filesystem("memory").pipe_file(f"{location.removeprefix('memory:/')}/{path}", data)
    else:
        target = Path(location.removeprefix("file://")) / path
        target.chmod(0o644)
        target.write_bytes(data)


def test_a_stored_model_opens_with_every_file_and_its_digest(
    store: ModelStore, tmp_path: Path
) -> None:
    put(store, tmp_path / "model")
    opened = store.open(VERSION)
    for name in ("model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json"):
        assert (opened.directory / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    assert opened.digest == opened.manifest.digest == store.find(VERSION).manifest.digest
    assert store.versions() == [VERSION]
    store.verify(VERSION)


def test_storing_the_same_model_twice_changes_nothing(store: ModelStore, tmp_path: Path) -> None:
    manifest = prepared_release(tmp_path / "model", version=VERSION)
    assert store.put(tmp_path / "model", manifest) is True
    later = manifest.model_copy(update={"created": CREATED.replace(year=2027)})
    assert store.put(tmp_path / "model", later) is False
    assert store.find(VERSION).manifest.created == CREATED


def test_a_version_never_names_a_second_content(store: ModelStore, tmp_path: Path) -> None:
    put(store, tmp_path / "first", seed=1)
    before = store.find(VERSION).manifest
    with pytest.raises(UsageError) as refused:
        put(store, tmp_path / "second", seed=2)
    assert refused.value.code == "version_taken"
    assert before.digest in str(refused.value)
    with pytest.raises(UsageError, match="another vocabulary"):
        store.put(
            tmp_path / "third",
            prepared_release(tmp_path / "third", version=VERSION, seed=1, vocabulary=31),
        )
    assert store.find(VERSION).manifest == before


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt", "config.json"])
def test_a_tampered_file_is_refused_by_open_and_by_verify(
    store: ModelStore, location: str, tmp_path: Path, name: str
) -> None:
    put(store, tmp_path / "model")
    path, size = stored_blob(store, name)
    overwrite(location, path, b"x" * size)
    for attempt in (lambda: store.open(VERSION), lambda: store.verify(VERSION)):
        with pytest.raises(FatalError) as refused:
            attempt()
        assert refused.value.code == "model_digest_mismatch"
        assert name in str(refused.value)
        assert "add the model again" in refused.value.hint
    assert not list((tmp_path / "cache").glob(f"{VERSION}*")), "a refused model became visible"


def test_a_truncated_file_is_refused(store: ModelStore, location: str, tmp_path: Path) -> None:
    put(store, tmp_path / "model")
    path, _ = stored_blob(store, "model.safetensors")
    overwrite(location, path, b"short")
    with pytest.raises(FatalError, match=r"model\.safetensors"):
        store.open(VERSION)
    with pytest.raises(FatalError, match=r"model\.safetensors"):
        store.verify(VERSION)


def test_a_torn_upload_is_written_again_by_the_next_add(location: str, tmp_path: Path) -> None:
    store = new_store(location, tmp_path)
    manifest = prepared_release(tmp_path / "model", version=VERSION)
    weights = manifest.file("model.safetensors")
    torn = tmp_path / "torn"
    torn.write_bytes(b"half")
    open_files(location).put(torn, f"blobs/sha256/{weights.sha256}")
    store.put(tmp_path / "model", manifest)
    store.verify(VERSION)


def test_a_damaged_cached_copy_is_fetched_again(tmp_path: Path) -> None:
    location = f"memory://{uuid.uuid4().hex}"
    store = new_store(location, tmp_path)
    put(store, tmp_path / "model")
    cached = store.open(VERSION).directory / "vocab.txt"
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    again = store.open(VERSION).directory / "vocab.txt"
    assert again.read_bytes() == (tmp_path / "model" / "vocab.txt").read_bytes()


def test_a_file_that_nobody_vouches_for_is_never_read(tmp_path: Path) -> None:
    """Slipped into a directory, a label map would change every result and no digest."""
    store = new_store(f"memory://{uuid.uuid4().hex}", tmp_path)
    put(store, tmp_path / "model")
    for name in ("label_mapping.json", "configuration.json", "pytorch_model.bin"):
        (store.open(VERSION).directory / name).write_text("{}")
        assert not (store.open(VERSION).directory / name).exists()
    release = write_prepared(tmp_path / "starters" / OTHER, seed=1)
    write_release(release, version=OTHER, source=ModelSource(kind="trained"), created=CREATED)
    assert store.open(OTHER).directory == release
    (release / "label_mapping.json").symlink_to("nowhere")
    with pytest.raises(FatalError, match=r"label_mapping\.json"):
        store.open(OTHER)


def test_the_expected_digest_is_enforced(store: ModelStore, tmp_path: Path) -> None:
    put(store, tmp_path / "model")
    digest = store.find(VERSION).manifest.digest
    assert store.open(VERSION, digest=digest).digest == digest
    with pytest.raises(FatalError) as refused:
        store.open(VERSION, digest="sha256:" + "0" * 64)
    assert refused.value.code == "model_digest_mismatch"
    assert "MGEO_MODEL_STORE" in refused.value.hint


def test_an_unknown_version_names_those_that_are_there(store: ModelStore, tmp_path: Path) -> None:
    put(store, tmp_path / "model")
    with pytest.raises(UsageError) as refused:
        store.open(OTHER)
    assert refused.value.code == "unknown_version"
    assert VERSION in refused.value.hint


@pytest.mark.parametrize("version", ["../escape", "mgeo", "/etc/passwd", "a-b-20261301"])
def test_what_is_no_version_never_becomes_a_path(store: ModelStore, version: str) -> None:
    for attempt in (store.find, store.open, store.verify, store.remove):
        with pytest.raises(UsageError) as refused:
            attempt(version)
        assert refused.value.code == "bad_version"


def test_a_broken_manifest_is_a_clear_refusal(
    store: ModelStore, location: str, tmp_path: Path
) -> None:
    put(store, tmp_path / "model")
    good = store.find(VERSION).manifest.to_json()
    for bad in (
        b"not json",
        good.replace(b'"vocab.txt"', b'"../vocab.txt"'),
        good.replace(VERSION.encode(), OTHER.encode()),
        good.replace(b'"format_version": 1', b'"format_version": 2'),
        b" " * (2 * 1024 * 1024),
    ):
        overwrite(location, f"versions/{VERSION}.json", bad)
        with pytest.raises(FatalError) as refused:
            store.open(VERSION)
        assert refused.value.code == "model_manifest_broken"


def test_removing_frees_only_what_no_other_version_needs(store: ModelStore, tmp_path: Path) -> None:
    put(store, tmp_path / "first", version=VERSION, seed=1)
    put(store, tmp_path / "second", version=OTHER, seed=2)
    weights = store.find(VERSION).manifest.file("model.safetensors")
    assert store.remove(VERSION) == weights.size_bytes
    assert store.versions() == [OTHER]
    store.verify(OTHER)
    with pytest.raises(UsageError, match="there is no model"):
        store.remove(VERSION)


def test_starter_models_open_without_being_added(tmp_path: Path) -> None:
    release = write_prepared(tmp_path / "starters" / VERSION, seed=1)
    manifest = write_release(
        release, version=VERSION, source=ModelSource(kind="trained"), created=CREATED
    )
    store = new_store(str(tmp_path / "store"), tmp_path)
    assert store.open(VERSION).directory == release
    assert [(m.manifest.version, m.layer) for m in store.models()] == [(VERSION, "starter")]
    assert store.put(release, manifest) is False
    with pytest.raises(UsageError) as refused:
        put(store, tmp_path / "mine", seed=2)
    assert refused.value.code == "version_taken"
    with pytest.raises(UsageError) as kept:
        store.remove(VERSION)
    assert kept.value.code == "starter_model"
    (release / "vocab.txt").write_text("tampered")
    with pytest.raises(FatalError) as tampered:
        store.open(VERSION)
    assert tampered.value.code == "model_digest_mismatch"


def test_many_adds_of_one_version_end_with_one_whole_model(location: str, tmp_path: Path) -> None:
    def add(seed: int) -> str:
        store = new_store(location, tmp_path)
        try:
            put(store, tmp_path / f"model-{uuid.uuid4().hex}", seed=seed)
        except UsageError as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(add, [1, 2, 1, 2, 1, 2, 1, 2]))
    assert sorted(outcomes) == ["stored"] * 4 + ["version_taken"] * 4
    new_store(location, tmp_path).verify(VERSION)


def test_many_workers_filling_one_cache_all_get_the_whole_model(
    location: str, tmp_path: Path
) -> None:
    put(new_store(location, tmp_path), tmp_path / "model")

    def fill(_: int) -> bytes:
        opened = new_store(location, tmp_path).open(VERSION)
        return (opened.directory / "model.safetensors").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        contents = set(pool.map(fill, range(16)))
    assert contents == {(tmp_path / "model" / "model.safetensors").read_bytes()}
    assert not list((tmp_path / "cache").glob(".partial-*"))


_KILLED_ADD = """
import os, sys
from pathlib import Path
from consumer.store import backends
from tests.unit.store.test_store import VERSION, new_store, put

left = int(sys.argv[2])
real = os.fsync

def dies_at_last(descriptor):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    real(descriptor)

os.fsync = dies_at_last
root = Path(sys.argv[1])
put(new_store(str(root / "store"), root), root / "model")
"""


@pytest.mark.parametrize("survives", [0, 1, 3, 5, 8])
def test_a_killed_add_leaves_no_half_model(tmp_path: Path, survives: int) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_ADD, str(tmp_path), str(survives)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert killed.returncode == -9
    store = new_store(str(tmp_path / "store"), tmp_path)
    assert store.versions() == []
    put(store, tmp_path / "model")
    store.verify(VERSION)
    assert not list((tmp_path / "store" / "partial").glob("*"))


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    store = new_store(str(tmp_path / "store"), tmp_path)
    put(store, tmp_path / "model")
    put(store, tmp_path / "model")
    assert store.open(VERSION).directory.is_dir()
    with pytest.raises(UsageError, match="already names"):
        put(store, tmp_path / "other", seed=2)


_KILLED_FILL = """
import os, sys
from pathlib import Path
from tests.unit.store.test_store import VERSION, new_store

left = int(sys.argv[2])
real = os.fsync

def link(*_):
    raise OSError("another file system")

def dies_at_last(descriptor):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    real(descriptor)

os.link, os.fsync = link, dies_at_last
root = Path(sys.argv[1])
new_store(str(root / "store"), root).open(VERSION)
"""


@pytest.mark.parametrize("survives", [0, 2, 3])
def test_a_killed_cache_fill_leaves_nothing_that_opens(tmp_path: Path, survives: int) -> None:
    store = new_store(str(tmp_path / "store"), tmp_path)
    put(store, tmp_path / "model")
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_FILL, str(tmp_path), str(survives)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert killed.returncode == -9
    [partial] = (tmp_path / "cache").glob(".partial-*")
    assert not list((tmp_path / "cache").glob(f"{VERSION}*"))
    old = partial.stat().st_mtime - 2 * 24 * 3600
    os.utime(partial, (old, old))
    opened = store.open(VERSION)
    assert (opened.directory / "vocab.txt").read_bytes() == (
        tmp_path / "model" / "vocab.txt"
    ).read_bytes()
    assert not partial.exists()


class BreaksOff(MemoryFileSystem):
    """A place whose connection breaks in the middle of every large file, while told to."""

    protocol = "breaksoff"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    broken: ClassVar[bool] = False

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        opened = super()._open(path, mode, **options)
        if self.broken and "blobs" in path and mode == "rb":
            raw = io.BytesIO(opened.read())
            return _Breaking(raw)
        return opened


class _Breaking(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            raise ConnectionResetError("gone")
        return super().read(10)


def test_a_store_that_breaks_off_leaves_nothing_and_is_read_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("breaksoff", BreaksOff, clobber=True)
    store = new_store("breaksoff://models", tmp_path)
    put(store, tmp_path / "model")
    monkeypatch.setattr(BreaksOff, "broken", True)
    for attempt in (lambda: store.open(VERSION), lambda: store.verify(VERSION)):
        with pytest.raises(TransientError) as refused:
            attempt()
        assert refused.value.code == "model_store_unreachable"
    assert [p.name for p in (tmp_path / "cache").iterdir() if not p.name.startswith(".lock")] == []
    monkeypatch.setattr(BreaksOff, "broken", False)
    store.open(VERSION)
    BreaksOff.store.clear()


def test_a_store_that_cannot_be_reached_says_so_by_name(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    store = new_store(str(blocked / "store"), tmp_path)
    with pytest.raises(TransientError) as refused:
        store.versions()
    assert refused.value.code == "model_store_unreachable"
    assert "MGEO_MODEL_STORE" in refused.value.hint


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://ci:s3cr3t@models.example:8443/store/", "https://models.example:8443/store"),
        ("https://s3cr3t@models.example/store?sig=s3cr3t", "https://models.example/store"),
        ("https://ci:s3/cr3t@models.example/store", "https://…"),
        ("memory://ci:s3cr3t@bucket/models", "memory://bucket/models"),
        ("memory://bucket/models", "memory://bucket/models"),
    ],
)
def test_a_store_is_named_without_what_its_url_keeps_secret(location: str, shown: str) -> None:
    assert open_files(location).place == shown


def test_a_refusal_names_a_store_without_its_password(tmp_path: Path) -> None:
    store = new_store("https://ci:s3cr3t@127.0.0.1:9/models", tmp_path)
    with pytest.raises(TransientError, match=r"https://127\.0\.0\.1:9/models ") as refused:
        store.find(VERSION)
    assert "s3cr3t" not in str(refused.value)


def test_an_url_without_its_backend_is_a_usage_error() -> None:
    with pytest.raises(UsageError) as refused:
        open_files("nosuchthing://bucket/models")
    assert refused.value.code == "bad_model_store"


def test_listing_and_opening_need_no_torch() -> None:
    code = "import sys, consumer.store; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
