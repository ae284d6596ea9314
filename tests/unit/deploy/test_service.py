"""How a service's process is set up before anything of it runs."""

from __future__ import annotations

import subprocess
import sys

PRINTS = """
import gc
from deploy.service import run_service

async def main() -> None:
    print(gc.get_freeze_count())

run_service(main(), "mgeo-test")
"""


def test_leaves_what_was_imported_out_of_garbage_collections() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1_000
