"""modelscope's client, for one model: what it is asked and how its answers are read.

Every error of it becomes one of ours. Downloads only files that are asked for by exact name.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from consumer.store.digests import hash_file
from consumer.store.hub_errors import explain, unreachable
from consumer.store.manifest import StoredFile
from consumer.store.source import HubModel
from contracts.errors import UsageError

Watch = Callable[[str, int, int], None]
"""Called with a file's name, its size in bytes and how many of them came just now."""

_PROBE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file as the hub lists it."""

    name: str
    size_bytes: int
    sha256: str | None
    commit: str | None
    committed: float

    def described(self, directory: Path) -> StoredFile:
        """With the digest the hub lists; small files without one get that of what came."""
        sha256 = self.sha256 or hash_file(directory / self.name)
        return StoredFile(name=self.name, sha256=sha256, size_bytes=self.size_bytes)


class HubClient:
    """modelscope's client for one model; every error of it becomes one of ours."""

    def __init__(self, hub_id: str) -> None:
        """Raises ``extra_missing``; ``hub_unreachable`` at once where there is no way to it."""
        try:
            # Its bars would be drawn into pipes too; ours are drawn for people only.
            os.environ.setdefault("TQDM_DISABLE", "1")
            from modelscope.hub.snapshot_download import snapshot_download
            from modelscope_hub import HubApi, HubConfig
        except ImportError as error:
            raise UsageError(
                f"fetching from the hub needs {error.name}, which is not installed",
                code="extra_missing",
                hint="pip install 'mgeo-stream[worker]'",
            ) from error
        self._snapshot_download = snapshot_download
        self._hub_id = hub_id
        # The one hub that is configured: never another one that happens to have the name.
        self._endpoint = str(HubConfig().endpoint)
        self.host = urlsplit(self._endpoint).netloc
        self._api = HubApi(endpoint=self._endpoint)
        _probe(self._endpoint, self.host)

    def listing(self, revision: str) -> dict[str, ListedFile]:
        """The repository's top-level files by name."""
        with self._explaining(HubModel(self._hub_id, revision)):
            entries = self._api.legacy.list_repo_files(self._hub_id, "model", revision=revision)
        return {f.name: f for f in map(_listed, entries) if f is not None}

    def tags(self) -> list[str]:
        """The release tags, newest first; none where the hub does not tell."""
        with self._explaining(HubModel(self._hub_id)):
            _, tags = self._api.legacy.list_revisions_detail(self._hub_id, "model")
        newest_first = sorted(tags, key=lambda tag: _number(tag.get("CreatedAt")), reverse=True)
        return [str(tag["Revision"]) for tag in newest_first if tag.get("Revision")]

    def download(
        self, model: HubModel, root: Path, names: Sequence[str], watch: Watch | None
    ) -> Path:
        """These files, by exact name, so that no listed path leads anywhere else."""
        with self._explaining(model), quiet_modelscope():
            return Path(
                self._snapshot_download(
                    model.hub_id,
                    revision=model.revision,
                    cache_dir=str(root),
                    allow_patterns=list(names),
                    endpoint=self._endpoint,
                    progress_callbacks=_callbacks(watch),
                )
            )

    @contextmanager
    def _explaining(self, model: HubModel) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise explain(error, model, self.host) from error


def _listed(entry: Mapping[str, Any]) -> ListedFile | None:
    name = entry.get("Path") or entry.get("Name")
    if entry.get("Type") == "tree" or not isinstance(name, str) or "/" in name:
        return None
    return ListedFile(
        name=name,
        size_bytes=int(entry.get("Size") or 0),
        sha256=entry.get("Sha256") or None,
        commit=entry.get("CommitId") or entry.get("Revision") or None,
        committed=_number(entry.get("CommittedDate")),
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _probe(endpoint: str, host: str) -> None:
    """Fail at once where there is no way to the hub; its client would retry for long."""
    url = urlsplit(endpoint)
    proxy = getproxies().get(url.scheme)
    if proxy and not proxy_bypass(host):
        url = urlsplit(proxy)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=_PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise unreachable(host, "it cannot be connected to") from error


def _callbacks(watch: Watch | None) -> list[type] | None:
    if watch is None:
        return None
    from modelscope_hub import ProgressCallback

    tell = watch

    class Watching(ProgressCallback):
        def update(self, size: int) -> None:
            tell(self.filename, self.file_size, size)

    return [Watching]


@contextmanager
def quiet_modelscope() -> Iterator[None]:
    """What its log would say is said by ourselves, in one sentence."""
    loggers = [logging.getLogger(name) for name in ("modelscope", "modelscope_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
