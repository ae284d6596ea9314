"""Rewrite jars.json for a new broker version: `python -m deploy.local.pin 4.1.0`. Maintainers only.

Never run by the program itself: what it trusts is what a maintainer looked at and committed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"


def pin(kafka_version: str) -> dict[str, object]:
    """Resolve the broker and its log binding, download every jar and return the pinned set."""
    import jgo

    entries = {}
    with tempfile.TemporaryDirectory() as scratch:
        for endpoint in (f"org.apache.kafka:kafka_2.13:{kafka_version}", LOG_BINDING):
            for artifact in jgo.resolve(endpoint):
                artifact.context.repo_cache = Path(scratch)
                key = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
                if key not in entries:
                    data = artifact.resolve().read_bytes()
                    entries[key] = hashlib.sha256(data).hexdigest()
    jars = [{"maven": key, "sha256": digest} for key, digest in sorted(entries.items())]
    return {"kafka_version": kafka_version, "jars": jars}


if __name__ == "__main__":
    target = Path(__file__).with_name("jars.json")
    target.write_text(json.dumps(pin(sys.argv[1]), indent=1) + "\n", encoding="utf-8")
