"""What the parser takes text for: look-alikes folded, invisible characters known as such. Pure.

The table of look-alikes is ``contracts.lookalikes``. NFKC is not used: it changes lengths
(``㎡`` becomes ``m2``) and misses the radicals.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from contracts.lookalikes import FOLDING, fold

__all__ = ["FOLDING", "NORMALISER_VERSION", "fold", "is_invisible", "readable"]

NORMALISER_VERSION: Final = "1"
"""Part of a model's fingerprint: raise it with every change of what is folded, there too."""

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def is_invisible(character: str) -> bool:
    """Spaces, control and format characters: nothing of them is seen on paper."""
    return unicodedata.category(character) in _INVISIBLE


def readable(text: str) -> str:
    """The text as a person would type it: folded, invisible characters taken out.

    This one does change lengths: it is for names, never for offsets.
    """
    if text.isascii():
        return text if text.isprintable() and " " not in text else _without_invisible(text)
    return _without_invisible(text.translate(FOLDING))


def _without_invisible(text: str) -> str:
    if text.isprintable() and " " not in text:
        return text
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or not is_invisible(c))
    return " ".join(visible.split())
