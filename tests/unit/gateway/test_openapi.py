"""Whoever knows only the OpenAPI document: every answer is as it says, whatever is asked.

Here without Kafka, where every good request is 503; a broker test asks for good answers.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from contracts.limits import Limits
from contracts.settings import KafkaSettings
from producer.gateway.app import make_app
from producer.gateway.openapi import OPERATIONS, document
from producer.gateway.service import Gateway
from producer.gateway.settings import GatewaySettings

CONFIG = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": [*range(400, 432), 503]}}}
)


@pytest.fixture
async def app() -> object:
    return make_app(Gateway(GatewaySettings(), KafkaSettings(), Limits()))


@pytest.mark.parametrize("operation_id", OPERATIONS.values())
@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_every_answer_is_as_the_document_says(
    app: object, operation_id: str, mode: schemathesis.GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(document(), config=CONFIG)
    (operation,) = (
        found
        for result in schema.get_all_operations()
        if (found := result.ok()).definition.raw["operationId"] == operation_id
    )

    @given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(
            app=app,
            base_url="http://127.0.0.1:8000",
            excluded_checks=[positive_data_acceptance, not_a_server_error],
        )

    try:
        check()
    except Unsatisfiable:
        assert operation.method.upper() == "GET", "only what takes nothing cannot be wrong"


def test_the_document_leads_nowhere_but_to_itself_and_repeats_exactly() -> None:
    whole = document()
    schemas = whole["components"]["schemas"]

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [one for item in value.values() for one in references(item)]
        if isinstance(value, list):
            return [one for item in value for one in references(item)]
        return []

    assert {one.removeprefix("#/components/schemas/") for one in references(whole)} <= set(schemas)
    assert document() == whole
