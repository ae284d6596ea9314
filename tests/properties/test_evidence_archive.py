"""An archive of evidence folds to what was folded while it was written, whatever it holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from contracts.errors import UsageError
from rollout.evidence import Trial
from rollout.evidence.archive import ArchiveWriter, read_evidence, refold
from tests.rollouts.histories import Delivery, histories
from tests.rollouts.pairs import Witness, cut_of, pair_of, parsed, rollout_of


def archived(path: Path, deliveries: list[Delivery]) -> tuple[Trial, Witness]:
    """Fold, and write it down."""
    rollout, witness = rollout_of(), Witness()
    with ArchiveWriter(path, rollout.rollout_id) as archive:
        trial = Trial(rollout, judge=witness, recorder=archive)
        for one in deliveries:
            archive.begin(one.cut.number)
            twice = one.pairs + one.pairs[:1]
            trial.advance(one.cut, twice, one.parsed, one.missing)
            archive.end(trial)
    return trial, witness


@hypothesis_settings(max_examples=40)
@given(histories())
def test_an_archive_folds_to_the_same(deliveries: list[Delivery]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "evidence.parquet"
        trial, told = archived(path, deliveries)
        again = Witness()

        refolded = refold(path, rollout_of(), [one.cut for one in deliveries], judge=again)

        assert (refolded.chain, refolded.outcomes) == (trial.chain, trial.outcomes)
        assert refolded.accounting == trial.accounting
        assert again.__dict__ == told.__dict__
        pairs = [pair for cut in read_evidence(path) for pair in cut.pairs]
        assert {pair.origin.id: pair for pair in pairs} == {
            pair.origin.id: pair for one in deliveries for pair in one.pairs
        }


def one_cut(pairs: int) -> list[Delivery]:
    texts = [f"浙江省文三路{number}号" for number in range(pairs)]
    province = {"prov": "浙江省"}
    written = tuple(pair_of(n, [parsed(text, province)], batch="d") for n, text in enumerate(texts))
    return [Delivery(cut_of(1, {0: pairs}), written, (), ())]


def test_a_changed_result_is_seen_in_the_chain_of_its_cut(tmp_path: Path) -> None:
    path = tmp_path / "evidence.parquet"
    deliveries = one_cut(3)
    trial, _ = archived(path, deliveries)
    table = pq.read_table(path)
    rows = table.to_pylist()
    number = next(n for n, row in enumerate(rows) if row["kind"] == "address")
    rows[number]["candidate"] = rows[number]["candidate"].replace("0.9", "0.8")
    pq.write_table(table.from_pylist(rows, schema=table.schema), path)

    refolded = refold(path, rollout_of(), [one.cut for one in deliveries], judge=Witness())

    assert refolded.outcomes == trial.outcomes
    assert refolded.links[0][1] != trial.chain


def test_the_columns_say_what_the_judge_was_told(tmp_path: Path) -> None:
    path = tmp_path / "evidence.parquet"
    _, told = archived(path, one_cut(3))

    rows = [row for row in pq.read_table(path).to_pylist() if row["kind"] == "address"]

    assert [(row["offset"], row["unit"], row["exact"], row["f1"]) for row in rows] == [
        (one.offset, one.unit, one.exact, one.f1) for one in told.addresses
    ]
    assert all(row["first"] and row["slice"] == "浙江省" for row in rows)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_what_is_no_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evidence.parquet"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not an archive") as refused:
        refold(path, rollout_of(), [], judge=Witness())
    assert refused.value.code == "bad_archive"


def test_a_damaged_archive_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "evidence.parquet"
    deliveries = one_cut(50)
    archived(path, deliveries)
    whole = path.read_bytes()
    cuts = [one.cut for one in deliveries]
    for damaged in (whole[: len(whole) // 2], whole[:40] + b"\xff" * 40 + whole[80:]):
        path.write_bytes(damaged)
        with pytest.raises(UsageError) as refused:
            refold(path, rollout_of(), cuts, judge=Witness())
        assert refused.value.code == "bad_archive"


def test_an_archive_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "evidence.parquet"
    with pytest.raises(RuntimeError), ArchiveWriter(path, "r-1"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
