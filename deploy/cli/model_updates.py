"""`mgeo model check-updates`: has the hub a model that the store has not?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_records
from deploy.cli.program import example

if TYPE_CHECKING:
    from consumer.store.source import HubModel
    from consumer.store.updates import Update


def register(group: typer.Typer) -> None:
    group.command(
        "check-updates",
        epilog=example(
            "mgeo model check-updates",
            "mgeo model check-updates "
            "modelscope:damo/mgeo_geographic_elements_tagging_chinese_base --output json",
        ),
    )(check_updates)


def check_updates(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[modelscope:OWNER/NAME[@BRANCH]]...",
            help="Models on the hub. Default: every one that the store has something from.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask the hub for the newest revision of a model, and whether the store has it already.

    Nothing is downloaded. A model is known when the store has that revision, or one with the
    same files: an edited README is no new model. Leaves with 0 whether or not there is a new
    one; without an argument with 1 when one of the store's models cannot be looked up.
    """
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from consumer.store.source import parse_hub_model
    from consumer.store.updates import check_update, hub_models
    from contracts.errors import UsageError

    store = open_store(ParserSettings())
    manifests = [stored.manifest for stored in store.models()]
    asked = [parse_hub_model(text) for text in models or ()]
    today = datetime.now(UTC).date()
    records: list[dict[str, Any]] = []
    for model in asked or hub_models(manifests):
        try:
            update = check_update(model, manifests, today=today)
        except UsageError as error:
            if asked or error.code == "extra_missing":
                raise
            # Of many, one that is gone must not hide the others.
            records.append(_failed(model, error))
            note(f"{error}; {error.hint}" if error.hint else str(error))
        else:
            records.append(_record(update))
            _explain(update)
    if not records:
        note(f"No model in {store.place} came from the hub: name one to look for.")
    if output is Output.JSON:
        print_json(records)
    else:
        print_records(records, ("model", "new", "known_as", "version", "problem"), output)
    if any(record["problem"] for record in records):
        raise typer.Exit(exit_codes.FAILED)


def _record(update: Update) -> dict[str, Any]:
    return {
        "hub_id": update.newest.hub_id,
        "revision": update.newest.revision,
        "model": str(update.newest),
        "new": update.new,
        "known_as": update.known_as,
        "version": update.version,
        "unlisted": list(update.unlisted),
        "problem": None,
    }


def _failed(model: HubModel, problem: Exception) -> dict[str, Any]:
    return {
        "hub_id": model.hub_id,
        "revision": None,
        "model": str(model),
        "new": None,
        "known_as": None,
        "version": None,
        "unlisted": [],
        "problem": str(problem),
    }


def _explain(update: Update) -> None:
    for version in update.unlisted:
        note(f"The hub no longer lists the revision that {version} came from.")
    if update.new:
        note(f"Next: mgeo model add {update.newest} --version {update.version}")
