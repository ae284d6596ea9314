"""Makes the demo's sample: ``python -m deploy.demo.make_sample`` writes ``sample.csv``.

Made-up addresses from names that the starter models never saw, under a seed of their own.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import Final

from consumer.starter.generator.addresses import addresses

SEED: Final = 31
SIZE: Final = 3000
TARGET: Final = Path(__file__).parent / "sample.csv"

# Digits that might be somebody's telephone number stay out of a file that people are shown.
_PHONE: Final = re.compile(r"\d{7}|\d{3,4}-\d{7}")


def rows(size: int = SIZE) -> list[tuple[str, str]]:
    """(id, address), each address once."""
    texts: dict[str, None] = {}
    for made in addresses(SEED, "held_out"):
        if len(made.text) >= 6 and not _PHONE.search(made.text):
            texts[made.text] = None
        if len(texts) == size:
            break
    return [(f"demo-{number:04d}", text) for number, text in enumerate(texts, start=1)]


def main() -> None:
    """Write the file; with a BOM, so that spreadsheets read it."""
    with TARGET.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "address"))
        writer.writerows(rows())
    sys.stdout.write(f"{TARGET.name}: {SIZE} addresses\n")


if __name__ == "__main__":
    main()
