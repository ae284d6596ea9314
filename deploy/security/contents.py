"""The list of what an installation contains (SBOM, CycloneDX), and whether it is whole. Pure but
for asking which packages are installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel, ConfigDict


class _Component(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    version: str = ""


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")

    components: tuple[_Component, ...]


def read_contents(text: str) -> dict[str, str]:
    """Name, as registries compare names, to version."""
    document = _Document.model_validate_json(text)
    return {canonical(one.name): one.version for one in document.components}


def missing_from(contents: Mapping[str, str], constraints: str) -> tuple[str, ...]:
    """The pinned packages that are installed and that the list lacks, or has otherwise."""
    return tuple(
        f"{name}=={found}, listed as {contents.get(name) or 'nothing'}"
        for name in pinned(constraints)
        if (found := _installed(name)) is not None and contents.get(name) != found
    )


def pinned(constraints: str) -> Iterator[str]:
    """The names that a constraints file pins, in its order."""
    for line in constraints.splitlines():
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==", line)
        if match is not None:
            yield canonical(match.group(1))


def canonical(name: str) -> str:
    """PEP 503: ``Typing_Extensions`` and ``typing-extensions`` are one package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
