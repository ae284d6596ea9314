"""`mgeo model`: put models into the store, look at them, check them, take them out."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, note, print_json, print_records
from deploy.cli.program import example

if TYPE_CHECKING:
    from consumer.store import Manifest, StoredModel

SourceArgument = Annotated[
    str, typer.Argument(help="A model directory, or modelscope:OWNER/NAME@REVISION.")
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Ask nothing of the hub; use what was fetched before.")
]
VersionArgument = Annotated[str, typer.Argument(help="A version in the store.")]


# Modules with `register(group)` that add further commands, in their order.
PARTS: tuple[str, ...] = (
    # Against another model.
    "deploy.cli.model_compare",
    # What it did in production.
    "deploy.cli.model_history",
    # Against the hub.
    "deploy.cli.model_updates",
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        help="The model store: add, fetch, verify, list, show, check, compare.",
    )
    group.command(
        "add",
        epilog=example(
            "mgeo model add ./my-model --version mgeo-base-ours-20261123",
            "mgeo model add modelscope:damo/mgeo_geographic_elements_tagging_chinese_base@v1.0.0 "
            "--version mgeo-base-v1-20230815",
        ),
    )(add)
    group.command(
        "fetch",
        epilog=example(
            "mgeo model fetch modelscope:damo/mgeo_geographic_elements_tagging_chinese_base@v1.0.0"
        ),
    )(fetch)
    group.command(
        "verify",
        epilog=example("mgeo model verify mgeo-base-v1-20230815", "mgeo model verify --all"),
    )(verify)
    group.command("list", epilog=example("mgeo model list", "mgeo model list --output json"))(
        list_models
    )
    group.command("show", epilog=example("mgeo model show mgeo-base-v1-20230815"))(show)
    group.command(
        "selfcheck",
        epilog=example(
            "mgeo model selfcheck mgeo-base-v1-20230815",
            "mgeo model selfcheck mgeo-base-v1-20230815 --min-right 0.9",
        ),
    )(selfcheck)
    group.command("remove", epilog=example("mgeo model remove mgeo-base-v1-20230815"))(remove)
    for part in PARTS:
        import_module(part).register(group)
    app.add_typer(group, name="model", epilog=example("mgeo model list"))


def add(
    source: SourceArgument,
    version: Annotated[
        str | None,
        typer.Option(
            help="Its name from now on, BASE-FINETUNE-YYYYMMDD. "
            "May be left out for the hub: then it is made from the revision and today's date."
        ),
    ] = None,
    offline: OfflineOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a model, convert it to safetensors and store it under a version.

    No code of the model runs and no pickle is executed. A version names one content for ever:
    adding the same again changes nothing, adding another model under it is refused.
    """
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from consumer.store.add import add_directory
    from consumer.store.hub_add import add_from_hub
    from consumer.store.manifest import ModelSource
    from consumer.store.source import parse_hub_model
    from consumer.store.store import default_cache
    from contracts.errors import UsageError
    from deploy.cli.byte_progress import byte_bar, file_bars

    settings = ParserSettings()
    store = open_store(settings)
    now = datetime.now(UTC)
    if _is_from_hub(source):
        with file_bars() as watch:
            added = add_from_hub(
                store,
                parse_hub_model(source),
                cache=settings.model_cache or default_cache(),
                now=now,
                version=version,
                offline=offline,
                notice=note,
                watch=watch,
            )
    else:
        if version is None:
            raise UsageError(
                "a model from a directory needs a name",
                code="bad_version",
                hint=f"mgeo model add {source} --version BASE-FINETUNE-YYYYMMDD",
            )
        directory = Path(source)
        with byte_bar("reading the model", _bytes_in(directory)) as progress:
            added = add_directory(
                store,
                directory,
                version=version,
                source=ModelSource(kind="directory"),
                created=now,
                progress=progress,
            )
    if added.ignored:
        note("Left alone, no part of a model: " + ", ".join(added.ignored[:10]))
    if output is Output.JSON:
        print_json({"stored": added.stored, **_summary(added.manifest)})
    else:
        print(f"{added.manifest.version}  {added.manifest.digest}")
        if not added.stored:
            note("It was there already: nothing was changed.")
    if added.stored:
        note(f"Try it: mgeo model selfcheck {added.manifest.version}")


def fetch(
    source: SourceArgument,
    offline: OfflineOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Download a model from the hub at a pinned revision and check every file.

    Repeating it after an interruption goes on where it stopped. What was fetched can be added
    later without a network.
    """
    from consumer.settings import ParserSettings
    from consumer.store.hub import fetch as fetch_model
    from consumer.store.hub_add import hub_folder
    from consumer.store.source import parse_hub_model
    from consumer.store.store import default_cache
    from deploy.cli.byte_progress import file_bars

    root = hub_folder(ParserSettings().model_cache or default_cache())
    with file_bars() as watch:
        fetched = fetch_model(
            parse_hub_model(source), root, offline=offline, notice=note, watch=watch
        )
    if output is Output.JSON:
        print_json(
            {
                "hub_id": fetched.model.hub_id,
                "revision": fetched.model.revision,
                "directory": str(fetched.directory),
                "size_bytes": fetched.size_bytes,
                "from_cache": fetched.from_cache,
            }
        )
    else:
        print(f"{fetched.model}  {fetched.directory}")
    note(f"Next: mgeo model add {fetched.model} --version VERSION")


def verify(
    version: Annotated[str | None, typer.Argument(help="A version in the store; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every version.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Read every byte of a stored model and compare it with its digests; leave with 1 if wrong."""
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from contracts.errors import FatalError, UsageError
    from deploy.cli.byte_progress import byte_bar

    if (version is None) is not everything:
        raise UsageError(
            "verify takes a version or --all", code="bad_version", hint="mgeo model verify --all"
        )
    store = open_store(ParserSettings())
    records: list[dict[str, Any]] = []
    for one in [version] if version is not None else store.versions():
        try:
            with byte_bar(one, store.find(one).manifest.size_bytes) as progress:
                store.verify(one, progress)
        except FatalError as error:
            records.append({"version": one, "sound": False, "problem": str(error)})
            note(error.hint)
        else:
            records.append({"version": one, "sound": True, "problem": None})
    print_records(records, ("version", "sound", "problem"), output)
    if not all(record["sound"] for record in records):
        raise typer.Exit(exit_codes.FAILED)


def list_models(output: OutputOption = Output.TABLE) -> None:
    """Every model of the store, and the starter models that come with the package.

    Leaves with 1 when one of them has a manifest that cannot be read.
    """
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from contracts.errors import FatalError

    store = open_store(ParserSettings())
    records: list[dict[str, Any]] = []
    broken = False
    for version in store.versions():
        try:
            model = store.find(version)
        except FatalError as error:
            broken = True
            records.append({"version": version, "problem": str(error)})
            note(f"{error}; {error.hint}")
        else:
            machine = {**_summary(model.manifest), "layer": model.layer}
            records.append(machine if output is Output.JSON else _row(model))
    if output is Output.JSON:
        print_json(records)
    else:
        columns = ("version", "digest", "size", "parameters", "labels", "from", "created")
        print_records(records, columns, output)
    if broken:
        raise typer.Exit(exit_codes.FAILED)


def show(version: VersionArgument, output: OutputOption = Output.TABLE) -> None:
    """Everything that is known of a model: files, digests, labels, calibration, its card."""
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from deploy.cli.model_card import card_summary, print_model

    store = open_store(ParserSettings())
    found = store.find(version)
    card = card_summary(store, found.manifest)
    if output is Output.JSON:
        print_json({**found.manifest.model_dump(mode="json"), "layer": found.layer, "card": card})
    else:
        print_model(found, store.place, card)


def selfcheck(
    version: Annotated[
        str | None,
        typer.Argument(help="VERSION[@precision] or a hub id; default: MGEO_VERSION."),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(help="Labelled addresses, one JSON object per line; default: our fifty."),
    ] = None,
    min_right: Annotated[
        float,
        typer.Option(min=0, max=1, help="Leave with 1 if fewer of the components are right."),
    ] = 0.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Load a model on this machine, compare it with modelscope's own, parse known addresses.

    Leaves with 1 when the scores differ from modelscope's implementation, or when fewer
    components are right than --min-right asks.
    """
    from dataclasses import asdict

    from consumer.selfcheck import KNOWN_ADDRESSES
    from consumer.selfcheck import selfcheck as run
    from consumer.settings import ParserSettings
    from deploy.cli.model_card import print_selfcheck

    check = run(version, ParserSettings(), known=known or KNOWN_ADDRESSES)
    passed = check.conformance.holds is not False and check.known.right_share >= min_right
    if output is Output.JSON:
        print_json(
            {
                "passed": passed,
                "spec": check.spec.model_dump(mode="json"),
                "device": check.device,
                "conformance": {**asdict(check.conformance), "holds": check.conformance.holds},
                "known": {**asdict(check.known), "right_share": check.known.right_share},
            }
        )
    else:
        print_selfcheck(check, min_right)
    if not passed:
        raise typer.Exit(exit_codes.FAILED)


def remove(version: VersionArgument, output: OutputOption = Output.TABLE) -> None:
    """Take a version out of the store and free what no other version needs.

    Workers that serve it go on from their own copy; a new worker could no longer open it.
    """
    from consumer.settings import ParserSettings
    from consumer.store import open_store

    freed = open_store(ParserSettings()).remove(version)
    if output is Output.JSON:
        print_json({"version": version, "freed_bytes": freed})
    else:
        print(f"{version} is removed; {_size(freed)} freed")


def _is_from_hub(source: str) -> bool:
    """A directory that is there is a directory, whatever else its name could mean."""
    from consumer.store.source import SCHEME, is_hub_model

    return source.startswith(SCHEME) or (is_hub_model(source) and not Path(source).exists())


def _bytes_in(directory: Path) -> int | None:
    try:
        return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
    except OSError:
        return None


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "digest": manifest.digest,
        "size_bytes": manifest.size_bytes,
        "source": manifest.source.model_dump(mode="json", exclude_none=True),
        "created": manifest.created.isoformat(),
    }


def _row(model: StoredModel) -> dict[str, Any]:
    manifest = model.manifest
    source = manifest.source
    origin = {
        "directory": "a directory",
        "modelscope": f"{source.hub_id}@{source.revision}",
        "trained": "trained here",
    }[source.kind]
    return {
        "version": manifest.version,
        "digest": manifest.digest[:19] + "…",
        "size": _size(manifest.size_bytes),
        "parameters": f"{manifest.architecture.parameters / 1e6:.1f} M",
        "labels": len(manifest.labels),
        "from": "the package" if model.layer == "starter" else origin,
        "created": f"{manifest.created:%Y-%m-%d}",
    }


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
