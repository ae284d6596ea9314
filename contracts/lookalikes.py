"""Characters that only look different, each with the one that it is taken for. Pure.

One code point to one code point: lengths never change, so offsets into the folded text are
offsets into the raw text. NFKC alone would change lengths and misses the radicals.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# The radicals of U+2E80…U+2EF3 that are the shape of a whole character, each with that
# character. Source: Unicode's EquivalentUnifiedIdeograph property; Unicode gives them no
# decomposition (but for two), so that no normalisation form folds them.
_RADICALS: Final = (
    "⺁厂⺄乙⺅亻⺆冂⺈刀⺉刂⺊卜⺌小⺍小⺎兀⺏尣⺐尢⺒巳⺓幺⺔彑⺖忄⺗㣺⺘扌⺙攵⺛旡⺜日⺝月⺞歺⺟母⺠民"
    "⺡氵⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺫罒⺬示⺭礻⺮竹⺯糹⺰纟⺱罓⺲罒⺶羊⺹耂⺺肀⺻聿⺼肉⺾艹⺿艹⻀艹"
    "⻁虎⻂衤⻃覀⻄西⻅见⻆角⻈讠⻉贝⻊足⻋车⻌辶⻍辶⻎辶⻏阝⻐钅⻑長⻒镸⻓长⻔门⻖阝⻗雨⻘青⻙韦⻚页⻛风"
    "⻜飞⻝食⻟飠⻠饣⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀⻳龟"
)


def _build_folding() -> dict[int, int]:
    folding = {
        ord(radical): ord(character)
        for radical, character in zip(_RADICALS[::2], _RADICALS[1::2], strict=True)
    }
    # Kangxi radicals, and the compatibility ideographs of old character sets.
    for first, last in ((0x2F00, 0x2FD5), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)):
        for code in range(first, last + 1):
            whole = unicodedata.normalize("NFKC", chr(code))
            if len(whole) == 1 and ord(whole) != code:
                folding[code] = ord(whole)
    # Full-width digits and letters. Full-width punctuation is how Chinese is punctuated:
    # the models know it as it is.
    for first, last in ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A)):
        for code in range(first, last + 1):
            folding[code] = code - 0xFEE0
    folding[0x3000] = 0x20
    return folding


FOLDING: Final = _build_folding()
"""Code point to code point, as ``str.translate`` takes it."""


def fold(text: str) -> str:
    """The text with look-alikes replaced; ``len(fold(text)) == len(text)``."""
    return text.translate(FOLDING)
