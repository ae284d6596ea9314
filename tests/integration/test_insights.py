"""`mgeo insights` on a real broker: ranges, versions, dead letters, only what is committed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import ParsedBatch
from contracts.headers import ERROR_CODE
from contracts.settings import KafkaSettings, client_options
from tests.brokers.admin import TopicFactory
from tests.streams.command import Mgeo, MgeoOn
from tests.unit.insights.parsed import GOOD, batch, failed, result

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000
# Of late: a broker deletes at any moment what is older than its topic keeps records.
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
START_MS = int(START.timestamp() * 1000)
SECOND_HOUR = (START + timedelta(hours=2)).isoformat()
OLD, NEW = "mgeo-test-v1-20260101", "mgeo-test-v2-20260201"
PHONE = "13812345678"

CALLED = result(("prov", "浙江省"), ("city", "杭州市"), ("road", "文一路"), (None, f" {PHONE}"))
LOST = result(("district", "鼓楼区"), ("road", "中山路"), ("roadno", "7号"))


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(3)
    settings = kafka.model_copy(update={"topic_prefix": names.prefix})
    producer = AIOKafkaProducer(
        **client_options(settings), transactional_id=f"{names.prefix}results"
    )
    await producer.start()

    async def write(one: ParsedBatch, hour: int, partition: int) -> None:
        await producer.send_and_wait(
            names.parsed,
            one.model_dump_json().encode(),
            partition=partition,
            timestamp_ms=START_MS + hour * HOUR_MS,
        )

    async with producer.transaction():
        for hour in range(4):
            version = OLD if hour < 2 else NEW
            for number in range(30):
                road = f"第{hour * 100 + number}路"
                plain = result(("prov", "浙江省"), ("city", "杭州市"), ("road", road))
                bad = result(("district", "鼓楼区"), ("road", road)) if hour > 1 else plain
                one = batch([bad], version=version, offset=hour * 100 + number)
                await write(one, hour, number % 3)
        await write(batch([GOOD, CALLED, failed("model_error")], version=NEW, source="crm"), 3, 0)
        for hour in (0, 3):
            await producer.send_and_wait(
                names.dead_letters,
                PHONE.encode(),
                partition=0,
                timestamp_ms=START_MS + hour * HOUR_MS,
                headers=[(ERROR_CODE, b"not_json")],
            )
    await producer.begin_transaction()
    await write(batch([LOST] * 50, version=NEW), 3, 1)
    await producer.abort_transaction()
    await producer.stop()
    return settings


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


async def report(mgeo: Mgeo, *arguments: str) -> dict[str, Any]:
    code, out, err = await mgeo("insights", *arguments, "--output", "json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def of(figures: dict[str, Any], code: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in figures["classes"] if one["code"] == code)
    return found


async def test_a_whole_topic_is_counted_but_for_what_was_aborted(mgeo: Mgeo) -> None:
    current = (await report(mgeo))["current"]
    assert (current["records"], current["addresses"]) == (121, 123)
    assert of(current, "no_province")["addresses"] == 60
    assert of(current, "personal_data")["details"] == [{"name": "phone", "addresses": 1}]
    assert [(one["code"], one["count"]) for one in current["errors"]] == [("model_error", 1)]
    assert [(one["code"], one["count"]) for one in current["dead_letters"]] == [("not_json", 2)]
    assert {one["name"] for one in current["versions"]} == {f"{OLD}@fp32", f"{NEW}@fp32"}
    assert [one["name"] for one in of(current, "no_province")["versions"]] == [f"{NEW}@fp32"]


async def test_a_range_ends_before_its_end(mgeo: Mgeo) -> None:
    early = await report(mgeo, "--until", SECOND_HOUR)
    late = await report(mgeo, "--since", SECOND_HOUR)
    assert (early["current"]["addresses"], late["current"]["addresses"]) == (60, 63)
    assert [one["count"] for one in early["current"]["dead_letters"]] == [1]


async def test_two_ranges_are_compared(mgeo: Mgeo) -> None:
    found = await report(
        mgeo,
        "--since",
        SECOND_HOUR,
        "--baseline-since",
        START.isoformat(),
    )
    assert found["comparison"] == "ranges"
    assert found["baseline"]["addresses"] == 60
    moved = {one["code"]: one["moved"] for one in found["changes"] if one["moved"] != "not_shown"}
    assert moved == {"any": "up", "no_province": "up"}


async def test_two_versions_are_compared_within_one_range(mgeo: Mgeo) -> None:
    found = await report(mgeo, "--compare", OLD, f"{NEW}@fp32")
    assert (found["baseline"]["label"], found["current"]["label"]) == (OLD, f"{NEW}@fp32")
    assert (found["baseline"]["addresses"], found["current"]["addresses"]) == (60, 63)
    (change,) = [one for one in found["changes"] if one["code"] == "no_province"]
    assert (change["before_count"], change["after_count"], change["moved"]) == (0, 60, "up")


async def test_a_version_that_is_not_there_is_said_with_those_that_are(mgeo: Mgeo) -> None:
    code, _, err = await mgeo("insights", "--compare", OLD, "mgeo-test-v9-20260909")
    assert code == 2
    assert f"{NEW}@fp32" in err


async def test_only_one_publisher(mgeo: Mgeo) -> None:
    current = (await report(mgeo, "--source", "crm"))["current"]
    assert (current["records"], current["addresses"]) == (1, 3)


async def test_examples_are_masked_unless_asked_for(mgeo: Mgeo, tmp_path: Path) -> None:
    table = tmp_path / "figures.csv"
    for output in ("table", "json"):
        code, out, err = await mgeo("insights", "--csv", str(table), "--output", output)
        assert code == 0, err
        assert PHONE not in out + err + table.read_text("utf-8-sig")
        assert "⟨phone⟩" in out
    _, out, _ = await mgeo("insights", "--show-text")
    assert PHONE in out


async def test_saved_results_say_the_same_as_the_topic(mgeo: Mgeo, tmp_path: Path) -> None:
    saved = tmp_path / "results.jsonl"
    code, _, err = await mgeo("results", "--out", str(saved))
    assert code == 0, err
    from_file = (await report(mgeo, "--file", str(saved)))["current"]
    from_topic = (await report(mgeo))["current"]
    for figures in (from_file, from_topic):
        for name in ("dead_letters", "timeline"):  # a file has none
            figures.pop(name)
    assert from_file == from_topic


async def test_the_worst_are_exported_once_and_never_over_a_file(
    mgeo: Mgeo, tmp_path: Path
) -> None:
    out = tmp_path / "to-label.jsonl"
    code, printed, err = await mgeo("insights", "export", "--out", str(out), "--output", "json")
    assert code == 0, err
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert json.loads(printed)["rows"] == len(rows) == 61
    assert {row["stratum"] for row in rows} == {"failures"}
    assert PHONE not in out.read_text("utf-8")
    assert out.stat().st_mode & 0o077 == 0
    code, _, err = await mgeo("insights", "export", "--out", str(out))
    assert code == 2
    assert "labels" in err


async def test_a_page_is_written_that_loads_nothing(mgeo: Mgeo, tmp_path: Path) -> None:
    page = tmp_path / "insights.html"
    code, _, err = await mgeo("insights", "--html", str(page))
    assert code == 0, err
    text = page.read_text("utf-8")
    assert PHONE not in text
    assert "⟨phone⟩" in text
    assert "Troubled addresses over time" in text
    assert not [word for word in ("<script", "http://", "https://", "src=") if word in text]
