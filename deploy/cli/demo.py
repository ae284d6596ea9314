"""`mgeo demo`: addresses in, parsed results out, exactly once, on this machine."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from deploy.cli.output import print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from contracts.settings import KafkaSettings
    from deploy.demo import story
    from deploy.ledger import Books

_SHOWN = ("prov", "city", "district", "town", "road", "roadno", "poi")


def register(app: typer.Typer) -> None:
    app.command("demo", epilog=example("mgeo demo", "mgeo demo --addresses 500"))(demo)


def demo(
    addresses: Annotated[
        int, typer.Option(min=1, help="How many of the bundled addresses to send.")
    ] = 3000,
) -> None:
    """Start a real Kafka, send generated addresses through a real worker, balance the books.

    Everything lives in a temporary folder and is gone afterwards; nothing of yours is touched.
    Leaves with 0 only if every address came back exactly once.
    """
    from contracts.settings import KafkaSettings
    from deploy.demo import story
    from deploy.local import LocalBroker, LocalSettings

    began = time.monotonic()
    rows = story.sample()[:addresses]
    with story.scratch() as folder:
        print("Starting a Kafka broker of its own …", flush=True)
        with LocalBroker(LocalSettings(), work_dir=folder / "kafka") as broker:
            kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
            print(f"Kafka answers at {broker.bootstrap_servers}.")
            _prepare(kafka)
            books, results = _run(kafka, rows, folder)
    _print_results(results)
    faults = _print_books(books)
    print(f"\n{time.monotonic() - began:.0f} s in all.")
    if faults:
        raise typer.Exit(1)
    print("Next: your own file: mgeo parse FILE --out parsed.csv (docs/guides/files.md).")


def _prepare(kafka: KafkaSettings) -> None:
    from deploy.demo import story
    from deploy.first_state import ensure_first_state

    asyncio.run(story.create_topics(kafka, partitions=3))
    if line := ensure_first_state(kafka):
        print(line[0].upper() + line[1:] + ".")


def _run(
    kafka: KafkaSettings, rows: list[tuple[str, str]], folder: Path
) -> tuple[Books, list[dict[str, object]]]:
    from deploy.demo import story

    with _Bar() as bar:
        published = asyncio.run(story.publish(kafka, rows, bar.step("published")))
        log = folder / "worker.log"
        with story.worker(kafka, log) as process:
            asyncio.run(
                story.wait_for_results(kafka, process, published, bar.step("parsed"), timeout_s=180)
            )
            books = asyncio.run(story.balance(kafka))
    return books, asyncio.run(story.examples(kafka, 12))


class _Bar:
    """Progress bars when a person watches, one line per step when not."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, name: str) -> story.Progress:
        """A bar for one step; call it with (done, total)."""
        task = self._progress.add_task(name, total=None)

        def show(done: int, total: int) -> None:
            self._progress.update(task, completed=done, total=total)
            if done >= total and self._progress.disable:
                print(f"{name}: {done} addresses", flush=True)

        return show


def _print_results(results: list[dict[str, object]]) -> None:
    rows = []
    for result in results:
        flat = result.get("address")
        flat = flat if isinstance(flat, dict) else {}
        confidence = result.get("confidence")
        rows.append(
            [
                str(result["text"]),
                *(str(flat.get(name, "")) for name in _SHOWN),
                f"{confidence:.2f}" if isinstance(confidence, float) else "",
            ]
        )
    print()
    print_table(("address", *_SHOWN, "sure"), rows)


def _print_books(books: Books) -> list[str]:
    from deploy.ledger import violations

    faults = violations(books)
    doubled = sum("doubled" in fault for fault in faults)
    lost = sum("lost" in fault for fault in faults)
    incoming = sum(len(ids) for ids in books.inputs.values())
    outgoing = sum(len(out.ids) for out in books.results)
    codes = ", ".join(sorted({letter.error for letter in books.dead_letters}))
    print_table(
        ("", "records", "addresses"),
        [
            ["in", str(len(books.inputs)), str(incoming)],
            ["out", str(len(books.results)), str(outgoing)],
            [f"dead letters ({codes})", str(len(books.dead_letters)), ""],
            ["lost", str(lost), ""],
            ["doubled", str(doubled), ""],
        ],
    )
    for fault in faults[:10]:
        print(f"  {fault}")
    print(
        "The books balance: every record came out exactly once, in order."
        if not faults
        else f"The books do not balance: {len(faults)} faults."
    )
    return faults
