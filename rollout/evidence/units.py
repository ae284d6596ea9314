"""Which addresses are the same address, and a compact memory of those that were seen. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from typing import Final

from contracts.lookalikes import fold

_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_NOT_WRITTEN: Final = re.compile(r"[^\w-]|_|(?<!\d)-|-(?!\d)")
_MASK: Final = (1 << 64) - 1
_SPREAD: Final = 0x9E3779B97F4A7C15
_SMALLEST: Final = 1024


def unit_text(text: str) -> str:
    """The text by which two addresses count as one.

    Look-alikes folded, NFKC, case folded, NFKC again (case folding can undo it); then everything
    that is neither a letter nor a digit is taken out, but for what stands between two digits:
    that becomes one hyphen, since ``12-3`` and ``1-23`` are two houses.
    """
    folded = unicodedata.normalize("NFKC", fold(text)).casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKC", folded)
    return _NOT_WRITTEN.sub("", _BETWEEN_DIGITS.sub("-", folded))


def unit_of(text: str) -> int:
    """64 bits of BLAKE2b over ``unit_text``: the unit that gates count once.

    Among a million addresses two share it with a chance of 3e-8; the later one would not count.
    """
    return _hash64(unit_text(text).encode("utf-8", "surrogatepass"))


def unit_of_place(partition: int, offset: int, index: int) -> int:
    """The unit of an address whose text nobody has: itself alone."""
    return _hash64(f"\x00{partition}/{offset}/{index}".encode())


def _hash64(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "big")


class UnitSet:
    """A set of 64-bit numbers that takes at most ``limit`` of them.

    Open addressing over one array of 64-bit slots, at most half full: 16 to 32 bytes a number
    while it grows, and never more than ``32 * max(limit, 512)`` bytes, twice that for the moment
    of growing. A Python set takes about 100.
    """

    __slots__ = ("_count", "_has_zero", "_mask", "_shift", "_slots", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._count = 0
        self._has_zero = False
        self._resize(_SMALLEST)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return self._has_zero if number == 0 else self._slots[self._find(number)] == number

    @property
    def full(self) -> bool:
        """Whether it takes nothing more."""
        return self._count >= self.limit

    @property
    def nbytes(self) -> int:
        """Bytes of its table."""
        return len(self._slots) * self._slots.itemsize

    def add(self, number: int) -> bool:
        """Take a number in; False when it was there already, or when the set is full."""
        if self.full or number in self:
            return False
        self._count += 1
        if number == 0:  # an empty slot is 0, so this one is kept apart
            self._has_zero = True
            return True
        if 2 * self._count > len(self._slots):
            self._grow()
        self._slots[self._find(number)] = number
        return True

    def _find(self, number: int) -> int:
        """Where the number is, or the empty slot where it would be."""
        slots, mask = self._slots, self._mask
        place = ((number * _SPREAD) & _MASK) >> self._shift
        while slots[place] not in (0, number):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._resize(2 * len(old))
        for number in old:
            if number:
                self._slots[self._find(number)] = number

    def _resize(self, slots: int) -> None:
        self._slots = array("Q", bytes(8 * slots))
        self._mask = slots - 1
        self._shift = 64 - self._mask.bit_length()
