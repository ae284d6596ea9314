"""What a stored model is made of: one manifest per version, naming every file by its digest.

Pure data. The manifest is what the rest of the store is checked against, so nothing in it
may lead outside the model's own directory.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import FatalError
from contracts.spec import Digest, VersionStr

FORMAT_VERSION: Final = 1
"""Of the manifest and of the files it names. A reader refuses what it does not know."""

MANIFEST_NAME: Final = "manifest.json"
WEIGHTS_NAME: Final = "model.safetensors"
CONFIG_NAME: Final = "config.json"
VOCABULARY_NAME: Final = "vocab.txt"
TOKENIZER_NAME: Final = "tokenizer_config.json"
CALIBRATION_NAME: Final = "calibration.json"
CONFIGURATION_NAME: Final = "configuration.json"
LABEL_MAPPING_NAME: Final = "label_mapping.json"
PICKLED_WEIGHTS_NAME: Final = "pytorch_model.bin"
CARD_NAME: Final = "README.md"

REQUIRED_FILES: Final = (WEIGHTS_NAME, CONFIG_NAME, VOCABULARY_NAME, TOKENIZER_NAME)
OPTIONAL_FILES: Final = (CALIBRATION_NAME, CARD_NAME, CONFIGURATION_NAME)

READ_FILES: Final = frozenset(
    {*REQUIRED_FILES, *OPTIONAL_FILES, LABEL_MAPPING_NAME, PICKLED_WEIGHTS_NAME}
)
"""Every name that loading a model looks at: one that no manifest vouches for must not be there."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A plain name: no directory, no leading dot."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredFile(_Frozen):
    """One file of a model."""

    name: FileName
    sha256: Sha256
    size_bytes: int = Field(ge=0)


class ModelSource(_Frozen):
    """Where a model came from."""

    kind: Literal["directory", "modelscope", "trained"]
    hub_id: str | None = None
    """``owner/name`` on the hub."""
    revision: str | None = None
    """The commit or tag that was fetched: what a second fetch would have to give again."""


class Architecture(_Frozen):
    """The model's shape, for people and for planning memory."""

    layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    heads: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    positions: int = Field(ge=1)
    """Longest window in tokens, special ones included."""
    parameters: int = Field(ge=1)


class Manifest(_Frozen):
    """A model version: what it is, where it came from, and every byte of it by digest."""

    format_version: Literal[1] = FORMAT_VERSION
    version: VersionStr
    digest: Digest
    """SHA-256 of the stored weights: the digest in every spec and result."""
    kind: Literal["token-classification"] = "token-classification"
    source: ModelSource
    created: AwareDatetime
    labels: tuple[str, ...] = Field(min_length=1)
    """Row ``i`` of the classifier is ``labels[i]``."""
    architecture: Architecture
    temperature: float | None = Field(default=None, gt=0)
    """What scores are divided by so that confidences are calibrated; null: not calibrated."""
    files: tuple[StoredFile, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Manifest:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("a file is named twice")
        missing = sorted(set(REQUIRED_FILES) - set(names))
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
        if MANIFEST_NAME in names:
            raise ValueError("the manifest names itself")
        if f"sha256:{self.file(WEIGHTS_NAME).sha256}" != self.digest:
            raise ValueError("the digest is not that of the weights file")
        return self

    def file(self, name: str) -> StoredFile:
        """The file of that name.

        Raises:
            KeyError: the model has no such file.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(name)

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def content(self) -> tuple[tuple[str, str], ...]:
        """(name, digest) of every file but the card: equal for models that behave alike."""
        return tuple(sorted((f.name, f.sha256) for f in self.files if f.name != CARD_NAME))

    def to_json(self) -> bytes:
        """As stored: indented UTF-8 with a final newline."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def parse_manifest(data: bytes, *, version: str) -> Manifest:
    """Read a stored manifest.

    Args:
        data: the file's content.
        version: the version under which it is stored.

    Raises:
        FatalError: ``model_manifest_broken``, when it is not a manifest of this version and
            of a format that this program knows.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise _broken(version, _first_problem(error.errors())) from None
    if manifest.version != version:
        raise _broken(version, "it is the manifest of another version")
    return manifest


def _first_problem(problems: list[Any]) -> str:
    where = ".".join(str(part) for part in problems[0]["loc"])
    if where == "format_version":
        return f"its format is not {FORMAT_VERSION}; a newer mgeo-stream may have written it"
    return f"{where}: {problems[0]['msg']}" if where else str(problems[0]["msg"])


def _broken(version: str, problem: str) -> FatalError:
    return FatalError(
        f"the manifest of model {version} cannot be used: {problem}",
        code="model_manifest_broken",
        hint=f"remove it (mgeo model remove {version}) and add the model again",
    )
