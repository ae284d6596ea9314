"""A row gets its own result or nobody gets a table: the file must be what was published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.decode import decode_batch
from contracts.errors import UsageError
from contracts.limits import Limits
from producer.awaiting import Spill, write_joined
from producer.publishing import PlannedBatch, plan_batches
from producer.rows import AddressFile
from producer.tables import result_cells
from tests.streams.stand_in_worker import echo

CONTENT = "id,地址\n1,北京市\n2,上海市\n3,广州市\n"


def replace(path: Path, content: str) -> None:
    """As an editor saves: the open file stays what it was."""
    other = path.with_suffix(".new")
    other.write_text(content, encoding="utf-8")
    other.replace(path)


def rewrite(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")


def joined(path: Path, meanwhile: Callable[[Path], None]) -> list[str]:
    """The table of a file to which something happens while its results are awaited."""
    path.write_text(CONTENT, encoding="utf-8")
    out = path.with_name("out.csv")
    with AddressFile(str(path)) as file, Spill() as spill:
        digest = file.digest()
        for batch in plan_batches(
            file, run_id="r", source="", batch_addresses=2, key_column=None, limits=Limits()
        ):
            assert isinstance(batch, PlannedBatch)
            spill.plan(batch)
            addresses = decode_batch(batch.record.value, Limits()).addresses
            spill.answer(
                batch.index, [result_cells(echo(one.id, one.text or "")) for one in addresses]
            )
        meanwhile(path)
        assert write_joined(file, spill, out, digest=digest) == {"ok": 3}
    return [",".join(line.split(",")[:3]) for line in out.read_text("utf-8-sig").splitlines()[1:]]


@pytest.mark.parametrize(
    "content",
    [
        "id,地址\n3,广州市\n2,上海市\n1,北京市\n",  # as many rows, in another order
        "id,地址\n1,北京市\n2,上海市\n",  # fewer
        CONTENT + "4,深圳市\n",
    ],
    ids=["sorted", "shorter", "longer"],
)
def test_a_file_that_was_changed_in_place_gives_no_table(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match="changed while its results") as caught:
        joined(tmp_path / "in.csv", lambda path: rewrite(path, content))
    assert caught.value.code == "file_changed"
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_file_that_another_one_took_the_name_of_is_still_the_one_that_was_read(
    tmp_path: Path,
) -> None:
    rows = ["1,北京市,北", "2,上海市,上", "3,广州市,广"]
    assert joined(tmp_path / "in.csv", lambda path: replace(path, "地址\n别的\n")) == rows
