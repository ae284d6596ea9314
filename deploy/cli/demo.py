"""`mgeo demo`: a model is promoted, a damaged one stopped, the first taken back, on one machine."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.output import print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from deploy.demo.story import Ended
    from deploy.serving_ledger import Served


def register(app: typer.Typer) -> None:
    app.command(
        "demo", epilog=example("mgeo demo", "mgeo demo --device cuda --reports my-reports")
    )(demo)


def demo(
    reports: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the reports and logs are left.")
    ] = Path("mgeo-demo"),
    device: Annotated[
        str, typer.Option(help="Of the workers: cpu, cuda or cuda:N; two share it.")
    ] = "cpu",
) -> None:
    """Tell the whole story on this machine, with a real Kafka and real processes; some minutes.

    Addresses flow all the time. A new release is shadowed, judged, approved and promoted; a
    damaged one is stopped; then the promoted one is rolled back. Then the books: leaves with 0
    only if every address came out exactly once, from the one model that served it.
    """
    from deploy.demo.story import SHADOW_TOKEN_BUDGET, SHORTENED, Story
    from deploy.local import LocalBroker, LocalSettings

    told = _Telling()
    reports = reports.absolute()
    signal.signal(signal.SIGTERM, _as_interrupt)
    told.chapter("A stream of addresses, parsed exactly once by release one")
    with tempfile.TemporaryDirectory(prefix="mgeo-demo-") as scratch:
        folder = Path(scratch)
        told.line("starting a Kafka broker of its own …")
        with LocalBroker(LocalSettings(), work_dir=folder / "kafka") as broker:
            kafka = broker.client()
            told.line(f"Kafka answers at {broker.bootstrap_servers}")
            told.line("policy: the CI templates' (deploy/ci/rollout.yaml), thresholds untouched;")
            told.line(f"durations shortened: {', '.join(SHORTENED)}")
            told.line(
                f"the shadow worker's device batches are small ({SHADOW_TOKEN_BUDGET} tokens)"
            )
            story = Story(
                kafka, folder, reports, device=device, tell=told.line, chapter=told.chapter
            )
            ended = asyncio.run(story.play())
            told.chapter("The books of the whole run")
            faults = asyncio.run(_close(ended))
    print(f"\n{told.seconds:.0f} s in all.")
    if faults:
        raise typer.Exit(1)
    print("Next: promote a model by hand: docs/tutorials/promote-a-model.md")


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM cleans up as Ctrl-C does.

    What Ctrl-C does is asyncio's affair while it runs: it cancels the story, and lets it end.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # started with interrupts ignored, as in the background of a script
        raise KeyboardInterrupt
    handler(number, frame)


class _Telling:
    """Prints the story, with the time since it began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._chapters = 0
        self._bold, self._plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        self._chapters += 1
        print(f"\n{self._bold}{self._chapters}. {title}{self._plain}", flush=True)

    def line(self, text: str) -> None:
        passed = int(self.seconds)
        bold, plain = (self._bold, self._plain) if " $ " in text[:16] else ("", "")
        print(f"{passed // 60}:{passed % 60:02d}  {bold}{text}{plain}", flush=True)


async def _close(ended: Ended) -> list[str]:
    """Print what happened and what came out; everything that is wrong with it."""
    from deploy.ledger import violations
    from deploy.serving_ledger import read_audit, read_served, serving_sets, serving_violations

    audit = await read_audit(ended.kafka)
    served = await read_served(ended.kafka)
    sets = serving_sets(ended.first, audit)
    faults = violations(ended.books) + serving_violations(served, sets)
    print_table(
        ("time", "rollout", "from", "to", "why", "epoch"),
        [
            (
                record.at[11:19],
                record.rollout_id,
                record.transition.previous or "",
                str(record.transition.phase),
                record.transition.code,
                str(record.transition.serving.serving_epoch),
            )
            for record in audit
            if record.transition is not None
        ],
        title="What the controller did",
    )
    _print_served(served)
    books = ended.books
    print_table(
        ("", "records", "addresses"),
        [
            ("in", f"{len(books.inputs):,}", f"{sum(map(len, books.inputs.values())):,}"),
            ("out", f"{len(books.results):,}", f"{sum(len(o.ids) for o in books.results):,}"),
            ("dead letters", f"{len(books.dead_letters):,}", ""),
            ("lost", str(sum(fault.startswith("lost") for fault in faults)), ""),
            ("doubled", str(sum(fault.startswith("doubled") for fault in faults)), ""),
            ("by another model", str(sum("expected mgeo" in fault for fault in faults)), ""),
            ("epochs that fell", str(sum(" after " in f and "epoch" in f for f in faults)), ""),
        ],
        title="Nothing lost, nothing doubled, each result from exactly one model",
    )
    for fault in faults[:10]:
        print(f"  {fault}")
    print(
        "The books balance: every record came out once, in order, from the model that served it."
        if not faults
        else f"The books do not balance: {len(faults)} faults."
    )
    print("\nReports:")
    for report in ended.reports:
        pages = sorted(report.glob("*.html")) or [report]
        print(f"  {pages[0]}")
    return faults


def _print_served(served: list[Served]) -> None:
    addresses: Counter[tuple[str, int]] = Counter()
    for one in served:
        addresses[(one.model.version, one.epoch)] += one.addresses
    print_table(
        ("epoch", "model", "addresses"),
        [
            (str(epoch), version, f"{count:,}")
            for (version, epoch), count in sorted(addresses.items(), key=lambda item: item[0][::-1])
        ],
        title="Who served what",
    )
