"""The starter models that come with the package: a read-only layer under every store."""

from __future__ import annotations

from pathlib import Path

from consumer.store.manifest import MANIFEST_NAME, Manifest, parse_manifest

RELEASES = Path(__file__).resolve().parent.parent / "starter" / "releases"
"""One directory per version, each with its manifest and its files."""


class StarterReleases:
    """Model directories laid out as ``<version>/manifest.json`` and the files it names."""

    def __init__(self, root: Path = RELEASES) -> None:
        self._root = root

    def versions(self) -> list[str]:
        """Those that are there, sorted."""
        return sorted(path.parent.name for path in self._root.glob(f"*/{MANIFEST_NAME}"))

    def manifest(self, version: str) -> Manifest | None:
        """The manifest of a release; None where there is no such release.

        Raises:
            FatalError: ``model_manifest_broken``.
        """
        try:
            data = (self.directory_of(version) / MANIFEST_NAME).read_bytes()
        except FileNotFoundError:
            return None
        return parse_manifest(data, version=version)

    def directory_of(self, version: str) -> Path:
        """Where a release lies."""
        return self._root / version
