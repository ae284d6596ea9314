"""Numbers as they stand in addresses: small ones often, in any of their scripts."""

from __future__ import annotations

import random
from typing import Final

_DIGITS: Final = "零一二三四五六七八九"


def small(rng: random.Random, most: int, lean: float = 2.0) -> int:
    """1..most, the smaller the more often; ``lean`` 1 is uniform."""
    return 1 + int(most * rng.random() ** lean)


def hanzi(number: int) -> str:
    """1..99 in Chinese: 十二, 二十, 三十五."""
    tens, ones = divmod(number, 10)
    if not tens:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def letter(rng: random.Random, last: str = "H") -> str:
    """A capital letter, the early ones more often."""
    return chr(ord("A") + int((ord(last) - ord("A") + 1) * rng.random() ** 2))


def street_number(rng: random.Random) -> str:
    """What stands before 号: 12, 1588, 66."""
    draw = rng.random()
    if draw < 0.55:
        return str(small(rng, 400, 1.6))
    if draw < 0.8:
        return str(small(rng, 2000, 1.4))
    if draw < 0.9:
        return rng.choice(
            (
                "88",
                "66",
                "99",
                "18",
                "168",
                "188",
                "288",
                "388",
                "588",
                "688",
                "888",
                "666",
                "999",
                "1688",
                "1888",
                "8888",
                "1018",
                "518",
                "558",
                "1",
                "2",
            )
        )
    return str(small(rng, 60, 1.2))


def room_number(rng: random.Random) -> str:
    """A floor and a door: 302, 1201; now and then a bare 5."""
    draw = rng.random()
    if draw < 0.62:
        return f"{small(rng, 7, 1.0)}0{small(rng, 8, 1.3)}"
    if draw < 0.86:
        return f"{rng.randint(8, 33)}{rng.randint(0, 2)}{rng.randint(1, 9)}"
    if draw < 0.93:
        return f"{small(rng, 9, 1.0)}{rng.randint(1, 3)}{rng.randint(0, 9)}"
    return str(small(rng, 60))
