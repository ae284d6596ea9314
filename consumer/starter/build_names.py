"""Builds the packaged lists of real names that the generator composes addresses from.

Run by a maintainer when the sources change; nothing at run time needs it::

    python -m consumer.starter.build_names CHINA_DIVISION_DIR JIEBA_DICT_TXT

Owns which names are kept, and as what kind. Must never reach the network.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

DATA_FILE: Final = "names.tsv.gz"

# A village-level committee is named after what it looks after: 解放路社区居委会 after a road,
# 绿景花园社区居委会 after an estate. Taking the committee off leaves the name.
_COMMITTEE: Final = re.compile(
    r"(社区)?(居民委员会|居委会|居民委会|村民委员会|村委会|社区居委会)$|社区(居委会)?$"
)
_KINDS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("road", re.compile(r"^.{1,5}(路|街|大街|巷|大道|胡同|弄)$")),
    ("lane", re.compile(r"^.{2,4}里$")),
    (
        "estate",
        re.compile(
            r"^.{2,5}(花园|家园|花苑|佳苑|嘉苑|新苑|苑|公馆|小区|公寓|新城|名城|华庭|庭|新居|华府|府|郡|湾)$"
        ),
    ),
    ("new_village", re.compile(r"^.{2,3}新村$")),
    ("zone", re.compile(r"^.{2,7}(开发区|园区|工业园|高新区)$")),
    ("works", re.compile(r"^.{2,7}(厂|煤矿|农场|林场|牧场|茶场|渔场|盐场)$")),
    ("campus", re.compile(r"^.{2,9}(大学|学院|中学|学校|医院)$")),
)
_VILLAGES: Final = 24_000
_WORDS: Final = 14_000
_WORD_CLASSES: Final = {"ns", "nz", "nr", "n", "a", "an", "nrt"}
_HANZI: Final = re.compile(r"^[一-龥]+$")


def committees(source: Path) -> Iterator[tuple[str, str]]:
    """(kind, name) of what village-level committees are named after; may repeat."""
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = _COMMITTEE.sub("", row["name"].strip())
            if not _HANZI.match(name) or re.search(r"[镇乡]..|街道|办事处|虚拟|生活区", name):
                continue
            kind = next((kind for kind, shape in _KINDS if shape.match(name)), None)
            if kind is not None:
                yield kind, name
            elif re.match(r"^.{2,5}村$", name):
                yield "village", name
            elif re.match(r"^.{2,4}$", name):
                yield "settlement", name


def words(source: Path) -> Iterator[tuple[str, str]]:
    """The dictionary's commonest names and nouns of two characters."""
    ranked: list[tuple[int, str]] = []
    for line in source.read_text(encoding="utf-8").splitlines():
        word, frequency, kind = line.split(" ")
        if len(word) == 2 and kind in _WORD_CLASSES and _HANZI.match(word):
            ranked.append((-int(frequency), word))
    for _, word in sorted(ranked)[:_WORDS]:
        yield "word", word


def _sampled(names: Iterable[tuple[str, str]], limits: dict[str, int]) -> list[tuple[str, str]]:
    """Without repeats; of a kind that has a limit, those with the lowest hash."""
    by_kind: dict[str, set[str]] = {}
    for kind, name in names:
        by_kind.setdefault(kind, set()).add(name)
    kept: list[tuple[str, str]] = []
    for kind in sorted(by_kind):
        ranked = sorted(by_kind[kind], key=lambda n: hashlib.sha256(n.encode()).digest())
        kept.extend((kind, name) for name in sorted(ranked[: limits.get(kind)]))
    return kept


def main(arguments: list[str]) -> None:
    china_division, dictionary = map(Path, arguments)
    limits = {"village": _VILLAGES, "settlement": _VILLAGES}
    names = _sampled(
        [*committees(china_division / "dist" / "villages.csv"), *words(dictionary)], limits
    )
    text = "".join(f"{kind}\t{name}\n" for kind, name in names)
    target = Path(__file__).parent / "data" / DATA_FILE
    target.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
    counts = {kind: sum(k == kind for k, _ in names) for kind in sorted({k for k, _ in names})}
    sys.stdout.write(f"{target.name}: {counts}, {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
