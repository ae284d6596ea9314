"""A decision recomputed from real topics and from an archive: whatever was changed is named."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pyarrow.parquet as pq
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from contracts.audit import AuditRecord
from contracts.events import AddressResult
from contracts.rollout import Rollout
from contracts.settings import KafkaSettings, client_options
from rollout.approvals import new_key
from rollout.report import ReportData
from rollout.report.from_kafka import collect, write
from rollout.verify import Verification, verify, verify_archive
from tests.brokers.admin import AdminThread, TopicFactory
from tests.brokers.choice import Broker
from tests.rollouts.pairs import ID
from tests.rollouts.recorded import (
    CUTS,
    PER_CUT,
    Story,
    log_of,
    reference,
    tell,
    write_evidence,
    write_story,
)

pytestmark = pytest.mark.broker

NOW = datetime(2026, 1, 2, 13, 0, tzinfo=UTC)


@pytest.fixture
def streams(kafka: KafkaSettings, topics: TopicFactory) -> Callable[[], KafkaSettings]:
    def make() -> KafkaSettings:
        return kafka.model_copy(update={"topic_prefix": topics.create_standard(2).prefix})

    return make


@dataclass(frozen=True)
class Told:
    """One rollout that tests look at and never write to.

    Attributes:
        stream: with all its topics.
        story: what stands in its audit.
        archive: what its report left.
    """

    stream: KafkaSettings
    story: Story
    archive: Path


@pytest.fixture(scope="module")
def told(broker: Broker, _admin: AdminThread, tmp_path_factory: pytest.TempPathFactory) -> Told:
    names = TopicFactory(_admin).create_standard(2)
    stream = KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=names.prefix
    )
    directory = tmp_path_factory.mktemp("archive")

    async def tell_all() -> Story:
        story = await tell(stream)
        await write_story(stream, story)
        await write(log_of(stream), stream.names, ID, directory, now=NOW)
        return story

    return Told(stream, asyncio.run(tell_all()), directory)


@pytest.fixture
def archive(told: Told, tmp_path: Path) -> Path:
    """A copy of the archive, to be damaged."""
    return shutil.copytree(told.archive, tmp_path / "archive")


async def checked(stream: KafkaSettings, story: Story, **options: Any) -> Verification:
    await write_story(stream, story)
    return await verify(log_of(stream), stream.names, ID, **{"keyring": story.keyring, **options})


async def again(told: Told, **options: Any) -> Verification:
    options = {"keyring": told.story.keyring, **options}
    return await verify(log_of(told.stream), told.stream.names, ID, **options)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def fields(found: Verification) -> set[str]:
    return {one.field for one in found.differences}


async def test_a_decision_is_recomputed_exactly(told: Told) -> None:
    found = await again(told)

    assert (found.outcome, found.differences, found.source) == ("ok", (), "topics")
    assert found.cuts == CUTS
    assert len(found.decisions) == 1
    assert found.notes == ("The approval is signed with the key 'lead'.",)


async def test_one_changed_result_breaks_the_chain_at_its_cut(
    told: Told, streams: Callable[[], KafkaSettings]
) -> None:
    def change(number: int, result: AddressResult) -> AddressResult:
        # Only the confidence of one result: no gate, no count, no figure sees it.
        return result.model_copy(update={"confidence": 0.8}) if number == PER_CUT + 1 else result

    changed = streams()
    await write_evidence(changed, change=change)
    found = await checked(changed, told.story)

    assert found.outcome == "differs"
    assert fields(found) == {"cuts[2].chain", "decision[1].chain"}
    (first, _) = found.differences
    assert "changed among the evidence at offsets" in first.where


async def test_a_result_that_changes_a_figure_names_the_figure(
    told: Told, streams: Callable[[], KafkaSettings]
) -> None:
    changed = streams()
    await write_evidence(
        changed, change=lambda number, result: reference(number) if number == 0 else result
    )
    found = await checked(changed, told.story)

    assert {"cuts[1].chain", "cuts[1].judgement.gates[exact_match].value"} <= fields(found)


Edit = Callable[[dict[str, Any]], None]


def set_path(path: str, value: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        *above, last = path.split(".")
        for key in above:
            document = document[int(key)] if isinstance(document, list) else document[key]
        if isinstance(document, list):
            document[int(last)] = value
        else:
            document[last] = value

    return edit


FIELDS: dict[str, Any] = {
    "cluster": "another",
    "rollout_id": "r-another",
    "phase": "ABORTED",
    "candidate.digest": "sha256:" + "9" * 64,
    "reference.precision": "bf16",
    "policy.gates.exact_match.min": 0.5,
    "policy_digest": "sha256:" + "9" * 64,
    "attempt": 2,
    "share": 0.5,
    "from_offsets.0": 3,
    "cuts_digest": "sha256:" + "9" * 64,
    "final_cut.shadow.0": 1,
    "judgement.verdict": "pass",
    "judgement.gates.0.value": 1.0,
    "judgement.accounting.paired": 1000,
    "outcomes": 1000,
    "chain": "sha256:" + "9" * 64,
}


async def test_every_changed_field_of_a_decision_is_named(told: Told) -> None:
    stream, story = told.stream, told.story
    place = next(n for n, one in enumerate(story.audit) if one.decision is not None)
    missed = []
    for path, value in FIELDS.items():
        document = json.loads(json.dumps(story.audit[place].decision))
        set_path(path, value)(document)
        # A later decision record of the same revision, as one who tampers would append it.
        forged = story.audit[place].model_copy(update={"decision": document})
        audit = [forged if n == place else one for n, one in enumerate(story.audit)]
        found = await _reverified(stream, Story(story.rollout, audit, story.state, None, {}))
        named = {field.replace("[exact_match]", ".0") for field in fields(found)}
        if f"decision[1].{path}" not in named or "decision[1].digest" not in named:
            missed.append((path, sorted(named)))
    assert missed == []


async def _reverified(stream: KafkaSettings, story: Story) -> Verification:
    """Verify against this audit without writing it: the evidence's topics are the stream's."""
    return await verify(_Audited(stream, story.audit), stream.names, ID, keyring=None)


class _Audited:
    """The stream's logs, with another audit topic: one log read from a list."""

    def __init__(self, stream: KafkaSettings, audit: list[AuditRecord]) -> None:
        self._open, self._name, self._audit = log_of(stream), stream.names.audit, audit

    def __call__(self, topic: str, **options: Any) -> Any:
        if topic != self._name:
            return self._open(topic, **options)
        return _Records(self._audit)


class _Records:
    """Records as a log of one partition."""

    partitions = (0,)

    def __init__(self, audit: list[AuditRecord]) -> None:
        self._audit, self._read = audit, False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def beginnings(self) -> dict[int, int]:
        return {0: 0}

    async def ends(self) -> dict[int, int]:
        return {0: len(self._audit)}

    def seek(self, positions: Any) -> None:
        self._read = False

    async def passed(self, ends: Any) -> bool:
        return self._read

    async def poll(self) -> list[Any]:
        self._read = True
        return [
            SimpleNamespace(
                offset=n,
                partition=0,
                key=one.rollout_id.encode(),
                value=one.model_dump_json().encode(),
            )
            for n, one in enumerate(self._audit)
        ]


async def test_a_policy_other_than_the_one_asked_for_is_named(
    streams: Callable[[], KafkaSettings],
) -> None:
    stream = streams()
    story = await tell(stream)
    assert story.request is not None
    assert story.request.start is not None
    stricter = story.request.start.policy.model_copy(
        update={"aa": story.request.start.policy.aa.model_copy(update={"max": 0.001})}
    )
    story.request = story.request.model_copy(
        update={"start": story.request.start.model_copy(update={"policy": stricter})}
    )

    found = await checked(stream, story)

    assert fields(found) == {"registered.policy.aa.max"}


async def test_a_foreign_signature_is_named(told: Told) -> None:
    found = await again(told, keyring={"lead": base64.b64decode(new_key()[1])})

    assert fields(found) == {"approval.signature"}


async def test_without_a_keyring_the_signature_is_said_to_be_unchecked(told: Told) -> None:
    found = await again(told, keyring=None)

    assert found.outcome == "ok"
    assert "not checked" in found.notes[0]


# --- the archive ----------------------------------------------------------------------------------


async def expire(stream: KafkaSettings, topic: str, before: dict[int, int]) -> None:
    """Delete the beginning of a topic, as retention does."""
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic, p): RecordsToDelete(offset) for p, offset in before.items()}
        )
    finally:
        await admin.close()


async def test_the_report_of_a_rollout_comes_from_kafka_alone(told: Told, tmp_path: Path) -> None:
    stream = told.stream
    steps: list[tuple[str, float]] = []

    data = await collect(
        log_of(stream), stream.names, None, now=NOW, progress=lambda *one: steps.append(one)
    )
    files = await write(log_of(stream), stream.names, ID, tmp_path, now=NOW)

    assert ReportData.model_validate_json(files.json.read_bytes()) == data
    assert data.rollout is not None
    assert data.rollout.rollout_id == ID
    assert (data.cuts, data.outcomes, data.compared) == (CUTS, CUTS * PER_CUT, CUTS * PER_CUT)
    differing = [number for number in range(CUTS * PER_CUT) if number % 5 == 0]
    assert sorted(one.text for one in data.disagreements) == sorted(
        reference(number).text or "" for number in differing
    )
    assert data.latency is not None
    assert data.latency.batches == CUTS * PER_CUT
    (province,) = data.slices
    assert (province.name, province.judged) == ("prov=浙江省", CUTS * PER_CUT)
    assert [one.phase for one in data.transitions][-1] == "STAGING"
    assert len(data.histories) >= 8
    assert all(history.points[-1].cut == CUTS for history in data.histories)
    assert names_in(tmp_path) == {path.name for path in files.paths}
    assert steps[-1][1] == 1.0


async def test_a_report_twice_is_the_same_bytes(told: Told, tmp_path: Path) -> None:
    await write(log_of(told.stream), told.stream.names, ID, tmp_path, now=NOW)

    for name in names_in(told.archive) - {"evidence.parquet"}:
        assert (tmp_path / name).read_bytes() == (told.archive / name).read_bytes()


def test_an_archive_is_recomputed_exactly(told: Told) -> None:
    found = verify_archive(told.archive, keyring=told.story.keyring)

    assert (found.outcome, found.differences, found.source) == ("ok", (), "archive")
    assert found.decisions


def test_one_changed_row_of_an_archive_is_noticed(archive: Path) -> None:
    path = archive / "evidence.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    row = next(one for one in rows if one["kind"] == "address")
    result = json.loads(row["candidate"])
    row["candidate"] = json.dumps({**result, "confidence": 0.1}, ensure_ascii=False)
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)

    found = verify_archive(archive)

    assert fields(found) == {"cuts[1].chain", "decision[1].chain"}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("policy.gates.exact_match.min", 0.5, "decision[1].policy.gates.exact_match.min"),
        ("chain", "sha256:" + "9" * 64, "decision[1].chain"),
        ("judgement.verdict", "pass", "decision[1].judgement.verdict"),
    ],
)
def test_a_changed_decision_of_an_archive_is_named(
    archive: Path, path: str, value: Any, named: str
) -> None:
    file = archive / "decision.json"
    document = json.loads(file.read_bytes())
    set_path(path, value)(document)
    file.write_text(json.dumps(document))

    found = verify_archive(archive)

    assert {named, "report.decision_digest"} <= fields(found)


def test_a_changed_threshold_of_an_archived_report_is_named(archive: Path) -> None:
    file = archive / "report.json"
    document = json.loads(file.read_bytes())
    document["rollout"]["policy"]["gates"]["exact_match"]["min"] = 0.5
    file.write_text(json.dumps(document))

    found = verify_archive(archive)

    assert "decision[1].policy.gates.exact_match.min" in fields(found)
    assert "decision[1].policy_digest" in fields(found)


@pytest.mark.parametrize("name", ["evidence.parquet", "cuts.jsonl", "decision.json", "report.json"])
def test_an_archive_that_lacks_a_file_cannot_be_verified(archive: Path, name: str) -> None:
    (archive / name).unlink()

    found = verify_archive(archive)

    assert (found.outcome, found.code) == ("cannot", "archive_incomplete")
    assert found.hint


async def test_expired_topics_are_said_and_the_archive_is_checked_instead(
    streams: Callable[[], KafkaSettings], tmp_path: Path
) -> None:
    stream = streams()
    story = await tell(stream)
    await write_story(stream, story)
    await write(log_of(stream), stream.names, ID, tmp_path, now=NOW)
    await expire(stream, stream.names.shadow, {0: 2})

    without = await verify(log_of(stream), stream.names, ID)
    found = await verify(log_of(stream), stream.names, ID, archive=tmp_path, keyring=story.keyring)

    assert (without.outcome, without.code) == ("cannot", "evidence_expired")
    assert stream.names.shadow in without.why
    assert (found.outcome, found.source) == ("ok", "archive")
    assert "no longer holds" in found.notes[0]


async def test_a_rollout_that_decided_nothing_yet_is_said(
    streams: Callable[[], KafkaSettings],
) -> None:
    stream = streams()
    story = await tell(stream)
    until = next(n for n, one in enumerate(story.audit) if one.decision is not None)
    story.audit = story.audit[:until]
    assert story.state is not None
    running: Rollout = story.rollout
    story.state = story.state.model_copy(update={"rollout": running, "phase": "SHADOWING"})

    found = await checked(stream, story)

    assert (found.outcome, found.code) == ("cannot", "nothing_decided")
    assert "2 cuts" in found.why
