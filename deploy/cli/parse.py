"""`mgeo parse`: addresses in, components out, here and now, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import exit_codes
from deploy.cli.file_options import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    HeaderOption,
    IdColumnOption,
    OutFormatOption,
    RejectsOption,
    SafeOption,
    SheetOption,
    StrictOption,
    TextColumnOption,
    read_options,
)
from deploy.cli.output import Output, OutputOption, print_json, print_json_line, print_table
from deploy.cli.parse_file import FileOrder, means_a_file, parse_file
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
            "mgeo parse orders.csv --out parsed.csv",
            "mgeo parse orders.xlsx --text-column 收货地址 --out parsed.xlsx",
        ),
    )(parse)


def parse(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT... | FILE", help="Addresses, or one file of them; - is a pipe."
        ),
    ],
    model: ModelOption = None,
    device: DeviceOption = None,
    batch_size: BatchSizeOption = None,
    out: Annotated[
        Path | None, typer.Option(help="For a file: all its rows, all columns, and the results.")
    ] = None,
    out_format: OutFormatOption = None,
    format: FormatOption = None,  # noqa: A002  (the option's name)
    text_column: TextColumnOption = None,
    id_column: IdColumnOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    sheet: SheetOption = None,
    header: HeaderOption = True,
    rejects: RejectsOption = None,
    strict: StrictOption = False,
    safe_for_spreadsheets: SafeOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Parse addresses, or a file of them, on this machine, without Kafka.

    Leaves with 1 when an address among the arguments could not be parsed; the others are parsed
    all the same. In a file that is a row's error code, and the file is read to its end.
    """
    if out is None and not means_a_file(texts, format is not None):
        results = open_parser(model, device=device, batch_size=batch_size).parse(texts)
        print_results(results, output)
        if any(result.status == "error" for result in results):
            raise typer.Exit(exit_codes.FAILED)
        return
    from producer.tables import TableFormat

    if len(texts) != 1:
        raise typer.BadParameter("--out takes the results of one file")
    order = FileOrder(
        path=texts[0],
        read=read_options(format, text_column, id_column, encoding, delimiter, sheet, header),
        rejects=rejects,
        strict=strict,
        out=out,
        out_format=None if out_format is None else TableFormat(out_format.value),
        spreadsheet_safe=safe_for_spreadsheets,
    )
    parse_file(
        order,
        lambda: open_parser(model, device=device, batch_size=batch_size),
        output,
        print_results,
    )


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
