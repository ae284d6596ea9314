"""The clients against a real gateway, and the gateway against whoever knows only its document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import schemathesis
import schemathesis.specs.openapi.adapter  # now: it would be imported, and compiled, within a test
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import positive_data_acceptance

from contracts.settings import KafkaSettings
from mgeo_stream import AsyncMGeoClient, MGeoClient
from producer.client import GatewayBusyError, GatewayRefusedError, VersionUnavailableError
from producer.client.retrying import Retries
from producer.gateway.openapi import document
from tests.brokers.admin import TopicFactory
from tests.streams.gateway import RunningGateway, running_gateway
from tests.streams.stand_in_replier import STABLE, Replier, running_replier, stream_with_state

pytestmark = pytest.mark.broker


@pytest.fixture
async def replier_and_gateway(
    kafka: KafkaSettings, topics: TopicFactory
) -> AsyncIterator[tuple[Replier, RunningGateway]]:
    stream = await stream_with_state(kafka, topics, partitions=1)
    async with (
        running_replier(stream) as replier,
        running_gateway(stream, timeout_ms=30_000, max_wait_ms=30_000) as gateway,
    ):
        await gateway.warm()
        yield replier, gateway


async def test_both_clients_give_typed_results_and_errors_by_consequence(
    replier_and_gateway: tuple[Replier, RunningGateway],
) -> None:
    _, gateway = replier_and_gateway

    def in_a_thread() -> None:
        with MGeoClient(gateway.url, timeout_s=30) as client:
            found = client.parse("京城")
            assert (found.prov, found.levels, found.adcode) == ("京", {"prov": "京"}, "110108")
            assert found.served.model == STABLE.name
            assert found.served.origin
            batch = client.parse_batch(["京", ("b", "沪"), " "])
            assert [(one.id, one.status, one.prov) for one in batch.results] == [
                ("1", "ok", "京"),
                ("b", "ok", "沪"),
                ("3", "error", None),
            ]
            accepted = client.publish(["京"], source="s", batch_id="b-7")
            assert accepted.batch_id == "b-7"
            with pytest.raises(GatewayRefusedError) as refused:
                client.parse(" ")
            assert refused.value.problem is not None
            assert refused.value.problem.errors[0].field == "address"
            with pytest.raises(VersionUnavailableError):
                client.parse("京", version="canary")

    await asyncio.to_thread(in_a_thread)
    async with AsyncMGeoClient(gateway.url, timeout_s=30) as client:
        assert (await client.parse("沪上", version="stable")).prov == "沪"
        assert len((await client.parse_batch(["京", "沪"])).results) == 2
        assert (await client.publish(["京"])).records[0].addresses == 1


async def test_a_client_asks_again_until_its_deadline_and_not_longer(
    replier_and_gateway: tuple[Replier, RunningGateway],
) -> None:
    replier, gateway = replier_and_gateway
    async with AsyncMGeoClient(gateway.url, timeout_s=20) as client:
        replier.paused.clear()
        with pytest.raises(GatewayBusyError) as late:
            await client.parse("京", timeout_s=0.5)
        replier.paused.set()
        assert late.value.code == "deadline_exceeded"
        assert (await client.parse("京")).prov == "京"
    async with AsyncMGeoClient("http://127.0.0.1:1", retries=Retries(attempts=2)) as nobody:
        with pytest.raises(GatewayBusyError) as away:
            await nobody.parse("京", timeout_s=2)
    assert away.value.code == "gateway_unreachable"
    assert "mgeo gateway" in away.value.hint


async def test_whoever_knows_only_the_document_finds_no_server_error(
    replier_and_gateway: tuple[Replier, RunningGateway],
) -> None:
    """Schemathesis makes requests from the document, good and bad, and checks each answer."""
    _, gateway = replier_and_gateway
    refusals = [*range(400, 432)]  # 413 and 415 too: schemathesis expects fewer by default
    config = schemathesis.Config.from_dict(
        {"checks": {"negative_data_rejection": {"expected-statuses": refusals}}}
    )
    schema = schemathesis.openapi.from_dict(document(), config=config)
    problems: list[str] = []

    def patient(case: schemathesis.Case) -> None:
        asked = str(case.headers.get("X-MGeo-Timeout-Ms", ""))
        if asked.isascii() and asked.isdecimal() and 0 < int(asked) < 10**9:
            # A millisecond is a fair wish, and 504 its answer; here answers are wanted.
            case.headers["X-MGeo-Timeout-Ms"] = "30000"

    def explore() -> None:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in schemathesis.GenerationMode:

                @given(case=operation.as_strategy(generation_mode=mode))
                @hypothesis_settings(
                    max_examples=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                )
                def check(case: schemathesis.Case) -> None:
                    patient(case)
                    # Text in which nothing is visible is of the right type, and 422.
                    case.call_and_validate(
                        base_url=gateway.url, excluded_checks=[positive_data_acceptance]
                    )

                try:
                    check()
                except Unsatisfiable:  # nothing of that kind can be wrong
                    pass
                except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all are told below
                    problems.append(f"{operation.label} {mode}: {error}"[:1500])

    await asyncio.to_thread(explore)
    assert not problems, "\n\n".join(problems)
