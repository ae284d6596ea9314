"""Makes the starter models anew: fit, calibrate, examine, write the release.

Run as ``python -m consumer.starter.train``; several minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.starter.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from consumer.starter.fitting import Report

RELEASES = Path(__file__).parent / "releases"


def fit_release(recipe: Recipe, releases: Path, report: Report | None = None) -> Path:
    """Fit one recipe and write its weights; the release that it builds on must be there.

    Args:
        recipe: what to make.
        releases: folder of releases, one directory per version.
        report: told of progress.

    Returns:
        The release's directory.

    Raises:
        FileNotFoundError: the release to train on from is missing.
    """
    from consumer.parser.tokenizer import AddressTokenizer
    from consumer.starter.checkpoint import read_weights, write_checkpoint
    from consumer.starter.fitting import fit, new_network
    from consumer.starter.vocabulary import vocabulary

    tokens = vocabulary()
    tokenizer = AddressTokenizer({token: index for index, token in enumerate(tokens)})
    network = new_network(recipe, len(tokens))
    if recipe.base is not None:
        network.load_state_dict(read_weights(releases / recipe.base))
    fit(network, tokenizer, recipe, report)
    directory = releases / recipe.version
    write_checkpoint(directory, network, recipe, tokens)
    return directory


def document_release(recipe: Recipe, directory: Path) -> None:
    """Calibrate and examine what was written, then write its card and manifest."""
    from consumer.parser.tokenizer import AddressTokenizer
    from consumer.starter.card import card
    from consumer.starter.checkpoint import read_weights, write_json
    from consumer.starter.examination import examine
    from consumer.starter.fitting import new_network
    from consumer.store.manifest import CARD_NAME, ModelSource
    from consumer.store.release import write_release

    tokenizer = AddressTokenizer.from_directory(directory)
    network = new_network(recipe, tokenizer.size)
    network.load_state_dict(read_weights(directory))
    result = examine(network, tokenizer)
    write_json(directory / "calibration.json", {"temperature": result.temperature})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    size = (directory / "model.safetensors").stat().st_size
    (directory / CARD_NAME).write_text(card(recipe, result, parameters, size), encoding="utf-8")
    write_release(
        directory,
        version=recipe.version,
        source=ModelSource(kind="trained"),
        created=datetime.combine(recipe.day, datetime.min.time(), UTC),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m consumer.starter.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=RELEASES, help="folder of releases")
    parser.add_argument(
        "--only", choices=[recipe.version for recipe in RECIPES], help="make this release alone"
    )
    parser.add_argument(
        "--card-only", action="store_true", help="keep the weights; calibrate and examine again"
    )
    options = parser.parse_args(arguments)
    import torch

    # One thread: sums are then taken in one order, whatever the number of cores.
    torch.set_num_threads(1)
    for recipe in RECIPES:
        if options.only in (None, recipe.version):
            started = time.monotonic()
            directory = options.out / recipe.version
            if not options.card_only:
                _fit_with_progress(recipe, options.out)
            document_release(recipe, directory)
            sys.stdout.write(f"{directory} in {time.monotonic() - started:.0f} s\n")
            sys.stdout.flush()


def _fit_with_progress(recipe: Recipe, releases: Path) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [
        TextColumn(recipe.version),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("fit", total=recipe.steps, loss=0.0)

        def report(done: int, total: int, loss: float) -> None:
            progress.update(task, completed=done, total=total, loss=loss)

        fit_release(recipe, releases, report)


if __name__ == "__main__":
    main()
