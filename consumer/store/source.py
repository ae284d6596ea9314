"""How people write where a model comes from: a directory, or a hub id with its revision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from contracts.errors import UsageError

SCHEME: Final = "modelscope:"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_HUB_ID: Final = re.compile(
    rf"(?P<id>{_NAME}/{_NAME})(?:@(?P<revision>[A-Za-z0-9][\w./-]{{0,99}}))?"
)
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_TAG: Final = re.compile(r"[vV]?\d+(\.\d+)+([.-]?\w+)*")
_TWIN_OWNERS: Final = frozenset({"damo", "iic"})
"""The hub moved its own models from the first to the second; both still name them."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub."""

    hub_id: str
    """``owner/name``."""
    revision: str | None = None
    """Commit, tag or branch; None: whatever the hub gives today."""

    @property
    def is_pinned(self) -> bool:
        """Whether the revision looks like a commit or a release tag, so that it stays put."""
        if self.revision is None:
            return False
        return bool(_COMMIT.fullmatch(self.revision) or _TAG.fullmatch(self.revision))

    def __str__(self) -> str:
        return f"{SCHEME}{self.hub_id}" + (f"@{self.revision}" if self.revision else "")


def parse_hub_model(text: str) -> HubModel:
    """Parse ``[modelscope:]OWNER/NAME[@REVISION]``.

    Raises:
        UsageError: ``bad_hub_id``.
    """
    match = _HUB_ID.fullmatch(text.removeprefix(SCHEME))
    if match is None or ".." in text:
        raise UsageError(
            f"{text[:120]!r} is not a model on the hub",
            code="bad_hub_id",
            hint="write modelscope:OWNER/NAME@REVISION, like "
            "modelscope:damo/mgeo_geographic_elements_tagging_chinese_base@v1.0.0",
        )
    return HubModel(match["id"], match["revision"])


def is_hub_model(text: str) -> bool:
    """Whether this names a model on the hub rather than a version or a directory."""
    return text.startswith(SCHEME) or (
        _HUB_ID.fullmatch(text) is not None and not text.startswith((".", "/", "~"))
    )


def same_model(one: str, other: str) -> bool:
    """Whether two hub ids name one model: ``damo/x`` and ``iic/x`` do."""
    (owner_a, _, name_a), (owner_b, _, name_b) = one.partition("/"), other.partition("/")
    return name_a == name_b and (owner_a == owner_b or {owner_a, owner_b} <= _TWIN_OWNERS)
