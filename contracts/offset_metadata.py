"""A lane's own memory, kept as the metadata of its committed offset.

It is written in the same transaction as the offset, so it can never disagree with it:
``v1;e=<serving epoch>;from=<offset>;attempt=<k>;by=<process>;no=<epoch>:<code>``; ``by`` and
``no`` may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_PATTERN = re.compile(
    r"v1;e=([0-9]{1,19});from=([0-9]{1,19});attempt=([0-9]{1,19})(?:;by=([0-9a-z]{1,32}))?"
    r"(?:;no=([0-9]{1,19}):([0-9a-z_]{1,64}))?(?:;.*)?"
)


@dataclass(frozen=True, slots=True)
class OffsetMetadata:
    """What the lane knew when it committed.

    Attributes:
        serving_epoch: the serving epoch the lane has adopted.
        from_offset: the first offset that is served under that epoch.
        attempt: how often the record at the committed offset has been started; 0 when it
            has not.
        writer: the process that wrote it, lower-case letters and digits: one that reads its
            own note again has not crashed since. Empty when unknown.
        refused_epoch: the newer serving epoch that this worker cannot adopt; 0 when there is
            none. The controller holds the rollout and says which partition and why.
        refusal: the error code that says why.
    """

    serving_epoch: int = 0
    from_offset: int = 0
    attempt: int = 0
    writer: str = ""
    refused_epoch: int = 0
    refusal: str = ""

    def encode(self) -> str:
        """The text that is stored beside the offset."""
        text = f"v1;e={self.serving_epoch};from={self.from_offset};attempt={self.attempt}"
        if self.writer:
            text += f";by={self.writer}"
        return f"{text};no={self.refused_epoch}:{self.refusal}" if self.refusal else text

    def has_adopted(self, epoch: int) -> bool:
        """Whether the lane serves under this epoch or a newer one, with every model of it."""
        return self.serving_epoch >= epoch and self.refused_epoch != epoch

    @classmethod
    def decode(cls, text: str | None) -> Self | None:
        """Read it back; None when there is none or another program wrote it.

        Fields that a later version appends are ignored.
        """
        match = _PATTERN.fullmatch(text or "")
        if match is None:
            return None
        epoch, start, attempt = (int(group) for group in match.groups()[:3])
        return cls(epoch, start, attempt, match[4] or "", int(match[5] or 0), match[6] or "")
