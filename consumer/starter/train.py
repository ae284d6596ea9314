"""Makes the starter models anew: fit, calibrate, examine, write the release.

Run as ``python -m consumer.starter.train``; several minutes. With ``--version`` it makes another
one: a release is trained on, for as long as one likes, which is what a candidate is at work.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.starter.recipes import RECIPES, SECOND, Recipe

if TYPE_CHECKING:
    from consumer.starter.fitting import Report

RELEASES = Path(__file__).parent / "releases"


def fit_release(
    recipe: Recipe, releases: Path, report: Report | None = None, *, bases: Path | None = None
) -> Path:
    """Fit one recipe and write its weights; the release that it builds on must be there.

    Args:
        recipe: what to make.
        releases: folder of releases, one directory per version.
        report: told of progress.
        bases: folder of what it may be trained on from; None: the same.

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
        network.load_state_dict(read_weights((bases or releases) / recipe.base))
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


def recipe_of_another(version: str, base: Recipe, *, samples: int, learning_rate: float) -> Recipe:
    """A release trained on from ``base``, on the addresses of the second month.

    Args:
        version: of the new one, ``<base>-<finetune>-<yyyymmdd>``.
        base: what it is trained on from.
        samples: addresses fitted.
        learning_rate: the highest.

    Raises:
        ValueError: the version does not end in a day, or is that of a starter release.
    """
    name, _, day = version.rpartition("-")
    if not name or version in {recipe.version for recipe in RECIPES}:
        raise ValueError(f"{version} names no new version")
    return replace(
        SECOND,
        version=version,
        day=datetime.strptime(day, "%Y%m%d").date(),  # noqa: DTZ007  (a day has no zone)
        base=base.version,
        samples=samples,
        seed=int(day),
        learning_rate=learning_rate,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m consumer.starter.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=RELEASES, help="folder of releases")
    versions = [recipe.version for recipe in RECIPES]
    parser.add_argument("--only", choices=versions, help="make this release alone")
    parser.add_argument(
        "--card-only", action="store_true", help="keep the weights; calibrate and examine again"
    )
    another = parser.add_argument_group("another release")
    another.add_argument("--version", help="its name, as mgeo-starter-v3-20261125")
    another.add_argument("--base", choices=versions, default=SECOND.version, help="trained on from")
    another.add_argument("--samples", type=int, default=6_400, help="addresses to fit")
    another.add_argument("--learning-rate", type=float, default=3e-4)
    options = parser.parse_args(arguments)
    recipes: Sequence[Recipe] = RECIPES
    bases = options.out
    if options.version is not None:
        (base,) = [recipe for recipe in RECIPES if recipe.version == options.base]
        try:
            recipe = recipe_of_another(
                options.version, base, samples=options.samples, learning_rate=options.learning_rate
            )
        except ValueError as error:
            parser.error(str(error))
        recipes, bases = [recipe], RELEASES
    import torch

    # One thread: sums are then taken in one order, whatever the number of cores.
    torch.set_num_threads(1)
    for recipe in recipes:
        if options.only in (None, recipe.version):
            started = time.monotonic()
            directory = options.out / recipe.version
            if not options.card_only:
                _fit_with_progress(recipe, options.out, bases)
            document_release(recipe, directory)
            sys.stdout.write(f"{directory} in {time.monotonic() - started:.0f} s\n")
            sys.stdout.flush()


def _fit_with_progress(recipe: Recipe, releases: Path, bases: Path) -> None:
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

        fit_release(recipe, releases, report, bases=bases)


if __name__ == "__main__":
    main()
