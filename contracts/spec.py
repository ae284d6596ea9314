"""What identifies a model in production: version, weights digest, precision, fingerprint.

Two results with the same spec came from the same function of the text.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.errors import UsageError

Precision = Literal["fp32", "fp16", "bf16"]
PRECISIONS: Final = ("fp32", "fp16", "bf16")

_VERSION = re.compile(
    r"(?P<base>[a-z0-9]+(?:-[a-z0-9]+)*)-(?P<finetune>[a-z0-9]+)-(?P<day>[0-9]{8})"
)
_DIGEST = r"^sha256:[0-9a-f]{64}$"
_VERSION_MAX_CHARS = 100


class Version(NamedTuple):
    """A parsed model version, ``<base>-<finetune>-<yyyymmdd>``."""

    base: str
    finetune: str
    day: date


def parse_version(text: str) -> Version:
    """Parse ``<base>-<finetune>-<yyyymmdd>``, for example ``mgeo-base-v1-20230815``.

    Raises:
        UsageError: ``bad_version``, when the text is not of that form or names no real day.
    """
    match = _VERSION.fullmatch(text) if len(text) <= _VERSION_MAX_CHARS else None
    if match is not None:
        digits = match["day"]
        try:
            day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            pass
        else:
            return Version(match["base"], match["finetune"], day)
    raise UsageError(
        f"{text[:_VERSION_MAX_CHARS]!r} is not a model version",
        code="bad_version",
        hint="a version is BASE-FINETUNE-YYYYMMDD in lower case, like mgeo-base-v1-20230815",
    )


class SpecName(NamedTuple):
    """What a person writes to name a spec: ``VERSION[@precision]``."""

    version: str
    precision: Precision | None


def parse_spec_name(text: str) -> SpecName:
    """Parse ``VERSION[@precision]``.

    Raises:
        UsageError: ``bad_version`` or ``bad_precision``.
    """
    version, at, precision = text.partition("@")
    parse_version(version)
    if not at:
        return SpecName(version, None)
    for known in PRECISIONS:
        if precision == known:
            return SpecName(version, known)
    raise UsageError(
        f"{precision[:20]!r} is not a precision",
        code="bad_precision",
        hint=f"write VERSION@PRECISION with one of {', '.join(PRECISIONS)}",
    )


def _check_version(text: str) -> str:
    try:
        parse_version(text)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return text


VersionStr = Annotated[str, AfterValidator(_check_version)]
Digest = Annotated[str, Field(pattern=_DIGEST)]


class ModelSpec(BaseModel):
    """One model as it is served."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    version: VersionStr
    digest: Digest
    """SHA-256 over the stored weights."""
    precision: Precision
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Hash over tokenizer, decoder, normaliser, gazetteer and calibration."""

    @property
    def name(self) -> str:
        """``VERSION@precision``, as people write it."""
        return f"{self.version}@{self.precision}"

    @property
    def weights(self) -> str:
        """Equal exactly when the version and its weights are, whatever release runs them."""
        return f"{self.name}+{self.digest}"

    @property
    def computes(self) -> str:
        """Equal exactly when the function of the text is: a version is only its name."""
        return f"{self.precision}+{self.digest}+{self.fingerprint}"

    @property
    def key(self) -> str:
        """A short text that is equal exactly when the spec is: for caches and headers."""
        return f"{self.name}+{self.digest[7:23]}+{self.fingerprint}"
