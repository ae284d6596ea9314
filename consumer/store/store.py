"""The model store: versions in, verified directories out.

A version, once named, is one content for ever. The manifest is written last, so a version
that can be seen is whole; whoever opens it checks every byte. Never imports torch.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from platformdirs import user_cache_path, user_data_path

from consumer.settings import ParserSettings
from consumer.store.backends import StoreFiles, open_files
from consumer.store.cache import ModelCache, blob_path
from consumer.store.digests import (
    Progress,
    copy_and_hash,
    digest_mismatch,
    find_fault,
    find_mismatch,
    no_progress,
)
from consumer.store.manifest import Manifest, parse_manifest
from consumer.store.starters import StarterReleases
from contracts.errors import FatalError, UsageError
from contracts.spec import parse_version

_MANIFEST_MAX_BYTES: Final = 1024 * 1024
_SUFFIX: Final = ".json"

Layer = Literal["store", "starter"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A verified model on this machine: all that loading it takes."""

    version: str
    digest: str
    """``sha256:…`` of the weights."""
    directory: Path
    """Config, vocabulary, weights …, as the manifest names them."""
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One line of a listing."""

    manifest: Manifest
    layer: Layer
    """``starter`` comes with the package, ``store`` was added."""


class ModelStore:
    """Versions and their files; safe for any number of processes at once."""

    def __init__(
        self,
        files: StoreFiles,
        cache: ModelCache,
        starters: StarterReleases | None = None,
    ) -> None:
        self._files = files
        self._cache = cache
        self._starters = starters if starters is not None else StarterReleases()

    @property
    def place(self) -> str:
        """Where it lies, for people."""
        return self._files.place

    def versions(self) -> list[str]:
        """Every version, those of the package included, sorted.

        Raises:
            TransientError: ``model_store_unreachable``.
        """
        return sorted({*self._starters.versions(), *self._added()})

    def _added(self) -> list[str]:
        names = self._files.names("versions")
        stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        return [stem for stem in stems if _is_version(stem)]

    def models(self) -> list[StoredModel]:
        """Every model, sorted by version.

        Raises:
            FatalError: ``model_manifest_broken``.
            TransientError: ``model_store_unreachable``.
        """
        return [self.find(version) for version in self.versions()]

    def find(self, version: str) -> StoredModel:
        """What is known of a version; reads the manifest alone.

        Raises:
            UsageError: ``bad_version``, or ``unknown_version`` when it is not in the store.
            FatalError: ``model_manifest_broken``.
            TransientError: ``model_store_unreachable``.
        """
        parse_version(version)
        manifest = self._starters.manifest(version)
        if manifest is not None:
            return StoredModel(manifest, "starter")
        try:
            with self._files.open(_manifest_path(version)) as source:
                data = source.read(_MANIFEST_MAX_BYTES + 1)
        except FileNotFoundError:
            raise self._unknown(version) from None
        if len(data) > _MANIFEST_MAX_BYTES:
            raise FatalError(
                f"the manifest of model {version} is larger than any real one",
                code="model_manifest_broken",
                hint=f"remove it (mgeo model remove {version}) and add the model again",
            )
        return StoredModel(parse_manifest(data, version=version), "store")

    def _unknown(self, version: str) -> UsageError:
        known = self.versions()
        return UsageError(
            f"there is no model {version} in {self.place}",
            code="unknown_version",
            hint="there are: "
            + (", ".join(known) if known else "none")
            + f"; add one with: mgeo model add DIR --version {version}",
        )

    def open(
        self,
        version: str,
        *,
        digest: str | None = None,
        progress: Progress = no_progress,
    ) -> ModelFiles:
        """The model as a directory of this machine, every byte of it verified just now.

        Args:
            version: as it was added, or one of the starter models.
            digest: what the weights must be (a spec's ``digest``); None: what the store says.
            progress: called with the number of bytes just verified or copied.

        Raises:
            FatalError: ``model_digest_mismatch`` when anything is not what it should be.
            UsageError: ``bad_version``, ``unknown_version``.
            TransientError: ``model_store_unreachable``.
        """
        found = self.find(version)
        manifest = found.manifest
        if digest is not None and digest != manifest.digest:
            raise FatalError(
                f"model {version} should have digest {digest} and has {manifest.digest} "
                f"in {self._where(found)}",
                code="model_digest_mismatch",
                hint="this process looks into another store than the one that named it (see "
                "MGEO_MODEL_STORE), or the model was replaced; a changed model needs a new "
                "version",
            )
        if found.layer == "starter":
            directory = self._starters.directory_of(version)
            problem = find_fault(directory, manifest.files, progress)
            if problem is not None:
                raise digest_mismatch(version, problem, str(directory))
        else:
            directory = self._cache.ensure(manifest, self._files, progress)
        return ModelFiles(version, manifest.digest, directory, manifest)

    def read(self, version: str, name: str) -> bytes:
        """One small file of a model, verified; the weights are not touched.

        Raises:
            FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
            UsageError: ``bad_version``, ``unknown_version``.
            KeyError: the model has no file of that name.
            TransientError: ``model_store_unreachable``.
        """
        found = self.find(version)
        file = found.manifest.file(name)
        try:
            if found.layer == "starter":
                data = (self._starters.directory_of(version) / name).read_bytes()
            else:
                with self._files.open(blob_path(file)) as source:
                    data = source.read(file.size_bytes + 1)
        except FileNotFoundError:
            raise digest_mismatch(version, f"{name} is missing", self._where(found)) from None
        if hashlib.sha256(data).hexdigest() != file.sha256:
            problem = f"the content of {name} is not what was stored"
            raise digest_mismatch(version, problem, self._where(found))
        return data

    def verify(self, version: str, progress: Progress = no_progress) -> None:
        """Read every byte of a version where it is stored, past the cache.

        Raises:
            FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
            UsageError: ``bad_version``, ``unknown_version``.
            TransientError: ``model_store_unreachable``.
        """
        found = self.find(version)
        if found.layer == "starter":
            self.open(version, progress=progress)
            return
        for file in found.manifest.files:
            problem = None
            try:
                with self._files.open(blob_path(file)) as source:
                    sha256, size = copy_and_hash(
                        source, None, limit_bytes=file.size_bytes, progress=progress
                    )
                if (sha256, size) != (file.sha256, file.size_bytes):
                    problem = f"the content of {file.name} is not what was stored"
            except FileNotFoundError:
                problem = f"{file.name} is missing"
            if problem is not None:
                raise digest_mismatch(version, problem, self.place)

    def put(self, directory: Path, manifest: Manifest, progress: Progress = no_progress) -> bool:
        """Store a prepared model; the same content under the same version is no change.

        Args:
            directory: holds every file that the manifest names.
            manifest: of exactly these files.
            progress: called with the number of bytes just written.

        Returns:
            True when it was stored now, False when it was there already.

        Raises:
            UsageError: ``version_taken`` when the version names another content.
            FatalError: ``model_digest_mismatch`` when the files are not the manifest's.
            TransientError: ``model_store_unreachable``; nothing half-stored can be seen.
        """
        with self._files.writing_alone():
            if self._holds(manifest):
                return False
            problem = find_mismatch(directory, manifest.files)
            if problem is not None:
                raise digest_mismatch(manifest.version, problem, str(directory))
            for file in manifest.files:
                if self._files.size(blob_path(file)) != file.size_bytes:
                    self._files.put(directory / file.name, blob_path(file))
                progress(file.size_bytes)
            created = self._files.create(_manifest_path(manifest.version), manifest.to_json())
            # Where there is no lock, another may have named the version first.
            self._holds(manifest)
            return created

    def _holds(self, manifest: Manifest) -> bool:
        """Whether this content is stored under its version. Raises ``version_taken``."""
        try:
            found = self.find(manifest.version)
        except UsageError as error:
            if error.code == "unknown_version":
                return False
            raise
        if found.manifest.content == manifest.content:
            return True
        what = (
            f"weights with digest {found.manifest.digest}, not {manifest.digest}"
            if found.manifest.digest != manifest.digest
            else "the same weights with another vocabulary, label map or calibration"
        )
        raise UsageError(
            f"{manifest.version} already names another model in {self._where(found)}: {what}",
            code="version_taken",
            hint="a version is one content for ever; choose a new one, such as a later date",
        )

    def workspace(self) -> AbstractContextManager[Path]:
        """An empty directory of this machine, gone afterwards.

        Raises:
            FatalError: ``model_cache_full``, ``model_cache_unusable``.
        """
        return self._cache.workspace()

    def remove(self, version: str) -> int:
        """Take a version away, then every blob that no other version needs.

        Returns:
            Bytes freed.

        Raises:
            UsageError: ``bad_version``, ``unknown_version``, or ``starter_model``: those of
                the package stay.
            TransientError: ``model_store_unreachable``.
        """
        parse_version(version)
        if version in self._starters.versions():
            raise UsageError(f"{version} comes with the package and stays", code="starter_model")
        with self._files.writing_alone():
            if version not in self._added():
                raise self._unknown(version)
            self._files.delete(_manifest_path(version))
            needed = {
                file.sha256 for known in self._added() for file in self.find(known).manifest.files
            }
            freed = 0
            for sha256 in self._files.names("blobs/sha256"):
                if sha256 not in needed:
                    path = f"blobs/sha256/{sha256}"
                    freed += self._files.size(path) or 0
                    self._files.delete(path)
            return freed

    def _where(self, found: StoredModel) -> str:
        return "the package" if found.layer == "starter" else self.place


def _manifest_path(version: str) -> str:
    return f"versions/{version}{_SUFFIX}"


def _is_version(text: str) -> bool:
    """What else lies among the manifests was not put there by this store."""
    try:
        parse_version(text)
    except UsageError:
        return False
    return True


def default_location() -> str:
    """The directory of the store where no setting names one."""
    return str(user_data_path("mgeo-stream") / "models")


def default_cache() -> Path:
    """The directory of the cache where no setting names one."""
    return user_cache_path("mgeo-stream") / "models"


def open_store(settings: ParserSettings) -> ModelStore:
    """The store that the settings name; looks at nothing yet.

    Raises:
        UsageError: ``bad_model_store``.
    """
    return ModelStore(
        open_files(settings.model_store or default_location()),
        ModelCache(settings.model_cache or default_cache()),
    )
