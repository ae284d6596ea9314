"""Whatever a spreadsheet writes is read back; whatever anyone writes is accounted for."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from producer.rows.delimited import Cells, split_records
from producer.rows.lines import Line, read_lines
from producer.rows.model import BadLine

cells = st.text(
    alphabet=st.one_of(
        st.sampled_from(list('",\n\r;\t 省市区路号1a')),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8)
)


def written(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


@given(tables, st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_quoted_cells_survive_any_content(rows: list[list[str]], encoding: str) -> None:
    stream = io.BytesIO(written(rows).encode(encoding))
    read = list(split_records(read_lines(stream, encoding), ","))
    assert [list(record.cells) for record in read if isinstance(record, Cells)] == rows
    assert not [record for record in read if isinstance(record, BadLine)]


@given(st.lists(st.text(alphabet='",ab\x00', max_size=6), max_size=12))
def test_every_line_is_in_exactly_one_record_or_reject(bodies: list[str]) -> None:
    lines = [
        Line(number, body + "\n", "nul_byte" if "\0" in body else None)
        for number, body in enumerate(bodies, start=1)
    ]
    accounted: list[int] = []
    for record in split_records(lines, ","):
        spanned = record.raw.count("\n") if isinstance(record, Cells) else 1
        accounted += range(record.line, record.line + spanned)
    blank = [line.number for line in lines if line.text == "\n"]
    within = [number for number in blank if number in accounted]
    assert sorted(accounted + [number for number in blank if number not in within]) == list(
        range(1, len(lines) + 1)
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_exception(content: bytes) -> None:
    for encoding in ("utf-8", "gb18030", "utf-16-le", "big5hkscs"):
        list(split_records(read_lines(io.BytesIO(content), encoding), ","))
