"""The list of checks and going through it: one that fails is a finding, never the doctor's end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from contracts.errors import MgeoError
from deploy.doctor.finding import Finding, broken

Check = Callable[[], Iterable[Finding]]

# "module:function", each () → findings, in the order of the table. Imported only when it runs.
CHECKS: tuple[str, ...] = (
    "deploy.doctor.machine:python",
    "deploy.doctor.machine:extras",
    "deploy.doctor.machine:device",
    "deploy.doctor.machine:disk",
    "deploy.doctor.models:store",
    "deploy.doctor.models:digests",
    "deploy.doctor.broker:java",
    "deploy.doctor.broker:jars",
    "deploy.doctor.broker:data_folder",
    "deploy.doctor.broker:kafka",
    "deploy.doctor.serving:serving",
    "deploy.doctor.rollouts:rollouts",
)


def examine(checks: Sequence[str] = CHECKS) -> list[Finding]:
    """Run every check and return what they found."""
    return [finding for check in checks for finding in _run(check)]


def _run(reference: str) -> list[Finding]:
    module, _, name = reference.partition(":")
    try:
        check: Check = getattr(import_module(module), name)
        return list(check())
    except MgeoError as error:
        return [broken(name, str(error), error.hint)]
    except Exception as error:  # noqa: BLE001 - a broken machine is what the doctor is for
        hint = f"this check itself failed; report it with: python -c 'import {module}'"
        return [broken(name, f"{type(error).__name__}: {error}", hint)]
