"""``python -m deploy.monitoring [FOLDER]``: write rules and dashboards.

Without a folder: the committed ones, with the default objectives. With one: there, with the
objectives of the environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.monitoring import DIRECTORY, write
from deploy.monitoring.settings import ObjectiveSettings

if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]), ObjectiveSettings())
    else:
        write(DIRECTORY)
