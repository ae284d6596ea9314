"""The starter models' vocabulary: single characters, so that tokens and text agree.

Owns which characters are known. Latin letters and digits are also there as continuations
(``##a``), because BERT's tokenizer joins runs of them into words.
"""

from __future__ import annotations

import string
from typing import Final

from consumer.gazetteer.divisions import load_divisions
from consumer.starter.generator import overseas, stock
from consumer.starter.generator.lexicon import lexicon

SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ASCII: Final = tuple(c for c in map(chr, range(0x21, 0x7F)) if c not in string.ascii_uppercase)
_CONTINUED: Final = tuple(f"##{c}" for c in string.digits + string.ascii_lowercase)
_SIGNS: Final = tuple("、。，（）－—–·《》“”‘’：；？！〇【】「」～…℃№×＃／｜－")


def _hanzi(first_row: int, last_row: int) -> set[str]:
    """Rows of GB 2312; 0xB0 to 0xD7 is its first level, the characters of everyday use."""
    found: set[str] = set()
    for row in range(first_row, last_row + 1):
        cells = bytes(byte for cell in range(0xA1, 0xFF) for byte in (row, cell))
        found.update(cells.decode("gb2312", errors="ignore"))
    return found


def vocabulary() -> list[str]:
    """One token per line of ``vocab.txt``; the order never depends on the machine."""
    characters = _hanzi(0xB0, 0xD7)
    for unit in load_divisions():
        characters.update(unit.name)
    for split in ("train", "held_out"):
        names = lexicon(split)
        for kind in ("campus", "estate", "lane", "new_village", "road", "word", "works", "zone"):
            for name in getattr(names, kind):
                characters.update(name)
        for name in (*names.village, *names.settlement):
            characters.update(name)
    for values in vars(stock).values():
        if isinstance(values, tuple):
            characters.update(str(values))
    characters.update(overseas.traditional("".join(sorted(characters))))
    hanzi = sorted(c for c in characters if "\u4e00" <= c <= "\u9fff")
    return [*SPECIAL, *_ASCII, *_CONTINUED, *dict.fromkeys(_SIGNS), *hanzi]
