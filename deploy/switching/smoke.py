"""One parse through a colour's own address, before callers are sent there. Logs no address."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from contracts.errors import TransientError

SMOKE_ADDRESS: Final = "北京市海淀区中关村大街1号"
"""Any model that is of use finds something in it."""

_ANSWER_WITHIN_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at and found good.

    Attributes:
        name: ``livez``, ``readyz`` or ``parse``.
        found: what was seen, for people.
        took_ms: how long the answer took.
    """

    name: str
    found: str
    took_ms: float


def smoke(url: str, colour: str) -> Iterator[Check]:
    """Ask a gateway whether it lives, is warm, and parses.

    Args:
        url: where it answers.
        colour: its name, for messages.

    Raises:
        TransientError: ``smoke_failed``; the message says what was wrong.
    """
    # Whatever proxy the environment names, it is not on the way to this one.
    with httpx.Client(base_url=url, timeout=_ANSWER_WITHIN_S, trust_env=False) as client:
        asks: tuple[tuple[str, Callable[[], httpx.Response], Callable[[int, Any], str]], ...] = (
            ("livez", lambda: client.get("/livez"), live),
            ("readyz", lambda: client.get("/readyz"), warm),
            ("parse", lambda: client.post("/parse", json={"address": SMOKE_ADDRESS}), parsed),
        )
        for name, ask, judge in asks:
            began = time.perf_counter()
            try:
                answer = ask()
                found = judge(answer.status_code, _document(answer))
            except httpx.HTTPError as error:
                raise _failed(colour, name, type(error).__name__) from error
            except _WrongError as wrong:
                raise _failed(colour, name, str(wrong)) from wrong
            yield Check(name, found, round((time.perf_counter() - began) * 1e3, 1))


class _WrongError(Exception):
    """What is wrong with an answer, in words that quote no address."""


def live(status: int, document: Any) -> str:
    """What ``/livez`` answered, when it is good."""
    del document
    if status != 200:
        raise _WrongError(f"it answered {status}")
    return "alive"


def warm(status: int, document: Any) -> str:
    """What ``/readyz`` answered, when it is good: Kafka, a model that serves, a worker at least."""
    facts = document if isinstance(document, dict) else {}
    if status != 200:
        raise _WrongError(str(facts.get("reason") or f"it answered {status}"))
    workers = facts.get("workers", 0)
    if not isinstance(workers, int) or workers < 1:
        raise _WrongError("no worker would answer it")
    return f"{workers} workers, {facts.get('stable', 'an unknown model')}"


def parsed(status: int, document: Any) -> str:
    """What ``/parse`` answered, when it is good: at least one component, as text of the address."""
    facts = document if isinstance(document, dict) else {}
    if status != 200:
        raise _WrongError(f"it answered {status} {facts.get('code', '')}".rstrip())
    components = facts.get("components") or []
    if not components:
        raise _WrongError("nothing was found in an address that has a city in it")
    for one in components:
        if SMOKE_ADDRESS[one["start"] : one["end"]] != one["text"]:
            raise _WrongError("a component is not where it says it is")
    return f"{len(components)} components"


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _failed(colour: str, name: str, why: str) -> TransientError:
    return TransientError(
        f"{colour} fails its smoke test at {name}: {why}; callers stay where they are",
        code="smoke_failed",
        hint=f"kubectl logs deployment/mgeo-gateway-{colour} says more",
    )
