"""``python -m deploy.monitoring.drill [FOLDER] [--act NAME]…``: alerts by their real causes.

Without ``--act`` every act is played, one after the other: more than an hour. What was seen is
added to ``drill.json`` in the folder, act by act; each act leaves its logs and the picture of its
panels in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from deploy.monitoring.drill.acts import ABSENT, ACTS, LOAD, UNOBTAINABLE
from deploy.monitoring.drill.playing import play
from deploy.monitoring.drill.seen import (
    Document,
    aligned,
    markdown,
    panels_markdown,
    table,
    unmoved,
    with_act,
)


def main() -> int:
    """Play what was asked for; 1 where an alert did not come or did not go."""
    arguments = _arguments()
    if arguments.list:
        print(_list())
        return 0
    out: Path = arguments.folder
    out.mkdir(parents=True, exist_ok=True)
    file = out / "drill.json"
    document: Document = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if arguments.markdown:
        print(f"{markdown(document)}\n{panels_markdown(document, ABSENT, LOAD)}")
        return 0
    wanted = [act for act in ACTS if not arguments.act or act.name in arguments.act]
    began = time.monotonic()
    failed = []
    for number, act in enumerate(wanted, 1):

        def tell(line: str, place: str = f"[{number}/{len(wanted)}]") -> None:
            print(f"{time.monotonic() - began:5.0f} s {place} {line}", flush=True)

        tell(f"{act.name:<14} {act.meaning}")
        played = play(act, out / act.name, tell)
        document = with_act(document, played)
        file.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        beside = f"; beside it: {', '.join(played.beside)}" if played.beside else ""
        tell(f"{act.name:<14} {'done' if played.whole else 'FAILED'}{beside}")
        if not played.whole:
            failed.append(act.name)
    print(f"\n{table(document)}\n")
    if set(document["acts"]) >= {act.name for act in ACTS}:
        for line in unmoved(document, ABSENT):
            failed.append(line)
            print(line)
    print("failed: " + ", ".join(failed) if failed else "every alert came and went")
    return 1 if failed else 0


def _list() -> str:
    rows = [("act", "alerts", "what happens")]
    rows += [(act.name, " ".join(act.alerts) or "–", act.meaning) for act in ACTS]
    rows += [("–", name, reason) for name, reason in UNOBTAINABLE.items()]
    return aligned(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring.drill", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("mgeo-drill"))
    parser.add_argument(
        "--act", action="append", choices=[act.name for act in ACTS], metavar="NAME"
    )
    parser.add_argument("--list", action="store_true", help="the acts, and what has none")
    parser.add_argument("--markdown", action="store_true", help="what was seen, for a page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
