"""Write the report of ``docs/examples/report``."""

from __future__ import annotations

import sys
from pathlib import Path

from rollout.report.example import aborted
from rollout.report.writing import write_report


def main(directory: Path) -> None:
    """Write the report that the documents show."""
    for written in write_report(aborted(), directory).paths:
        print(written)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
