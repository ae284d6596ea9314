"""`mgeo parse`: addresses in, components out, here and now, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import exit_codes
from deploy.cli.output import Output, OutputOption, print_json, print_json_line, print_table
from deploy.cli.program import example

if TYPE_CHECKING:
    from consumer.address_parser import AddressParser
    from contracts.events import AddressResult

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="VERSION[@PRECISION]",
        help="A model of the store, see mgeo model list. Default: MGEO_VERSION, or the starter "
        "model of the package.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda or cuda:N. Default: MGEO_DEVICE, or auto."),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, help="Most addresses that go through the model at once."),
]


def register(app: typer.Typer) -> None:
    app.command(
        "parse",
        epilog=example(
            "mgeo parse 北京市海淀区中关村大街1号",
            "mgeo parse --output json 北京市海淀区中关村大街1号 上海市浦东新区张江高科技园区",
        ),
    )(parse)


def parse(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Addresses to parse.")],
    model: ModelOption = None,
    device: DeviceOption = None,
    batch_size: BatchSizeOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Parse addresses on this machine, without Kafka.

    Leaves with 1 when an address could not be parsed; the others are parsed all the same.
    """
    results = open_parser(model, device=device, batch_size=batch_size).parse(texts)
    print_results(results, output)
    if any(result.status == "error" for result in results):
        raise typer.Exit(exit_codes.FAILED)


def open_parser(
    model: str | None, *, device: str | None = None, batch_size: int | None = None
) -> AddressParser:
    """The parser that these options ask for; what they leave open comes from the settings."""
    from consumer.address_parser import AddressParser
    from consumer.settings import ParserSettings

    chosen = {"device": device, "batch_size": batch_size}
    settings = ParserSettings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    return AddressParser.load(model, settings=settings)


def print_results(results: Sequence[AddressResult], output: Output) -> None:
    """Print results: one JSON document for one address, JSON lines for many, or a table."""
    if output is Output.JSON:
        documents = [result.model_dump(mode="json") for result in results]
        if len(documents) == 1:
            print_json(documents[0])
        else:
            for document in documents:
                print_json_line(document)
        return
    print_table(
        ("address", "component", "text", "confidence", "note"),
        [row for result in results for row in table_rows(result)],
    )


def table_rows(result: AddressResult) -> Iterable[tuple[str, str, str, str, str]]:
    """The rows of one address: its flat view, then what else there is to say."""
    shown = result.text or ""
    if result.status == "error":
        yield shown, "", "", "", f"error: {result.error}"
        return
    confidence: dict[str, float] = {}
    for component in result.components:
        confidence.setdefault(component.type, component.confidence)
    for kind, text in result.address.items():
        sure = f"{confidence[kind]:.2f}" if kind in confidence else ""
        yield shown, kind, text, sure, "completed" if kind in result.inferred else ""
        shown = ""
    if result.adcode:
        yield shown, "adcode", result.adcode, "", ""
        shown = ""
    if result.issues:
        yield shown, "", "", "", ", ".join(result.issues)
        shown = ""
    if shown:
        yield shown, "", "", "", "no component found"
