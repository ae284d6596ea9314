"""Every error code in the code is explained to people, and to nobody twice."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from contracts.codes import CONSEQUENCES, GROUPS, all_codes

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "producer", "consumer", "rollout", "deploy")


CARRIERS = {
    "AddressInput": (2, "fault"),
    "AddressResult": (3, "error"),
    "BadLine": (1, "code"),
    "DeadLetter": (0, "code"),
    "Line": (2, "fault"),
    "error_cells": (0, "code"),
    "failed_address": (2, "code"),
}
"""Calls that take a code without calling it so: its position and its name."""


def codes_in(source: str) -> set[str]:
    """Codes that this source raises, returns or writes down.

    Strings given as ``code=…``, as ``default_code``, to one of ``CARRIERS``, or assigned to
    ``code`` or ``fault``, and what a function named ``…_fault`` returns; by a constant of the
    module, too.
    """
    tree = ast.parse(source)
    constants = {
        name.id: value
        for node in tree.body
        for name, value in assigned(node)
        if isinstance(name, ast.Name) and isinstance(value, ast.Constant)
    }

    def literals(value: ast.expr | None) -> set[str]:
        match value:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Name(id=name) if name in constants:
                return literals(constants[name])
            case ast.IfExp(body=one, orelse=other):
                return literals(one) | literals(other)
            case ast.BoolOp(values=values):
                return {text for one in values for text in literals(one)}
            case _:
                return set()

    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            position, keyword = CARRIERS.get(name, (None, "code"))
            for word in node.keywords:
                if word.arg == keyword:
                    found |= literals(word.value)
            if position is not None and position < len(node.args):
                found |= literals(node.args[position])
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_fault"):
            for step in ast.walk(node):
                if isinstance(step, ast.Return):
                    found |= literals(step.value)
        for target, value in assigned(node):
            called = getattr(target, "id", None) or getattr(target, "attr", None)
            if called in {"default_code", "fault", "code"}:
                found |= literals(value)
    return {text for text in found if text}


def assigned(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What this statement assigns: target and value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return [(target, value) for target in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return [(target, value)]
        case _:
            return []


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_search_finds_codes_wherever_they_are_written() -> None:
    source = """
SIX: Final = "six"
UNUSED = "not a code"
class E(MgeoError):
    default_code = "one"
def f(x, code):
    raise UsageError("m", code="two" if x else "three")
def text_fault(text):
    return None if text else "four"
AddressInput("#1", None, "five"); BadLine(3, SIX, ""); DeadLetter("seven", "TASK_PUT", "E")
task.fault = "eight"
failed_address("1", "a text", task.fault or "nine")
AddressResult(id="1", text="x", status="error", error="ten")
"""
    numbers = "one two three four five six seven eight nine ten"
    assert codes_in(source) == set(numbers.split())


def test_every_code_in_the_programs_is_explained() -> None:
    missing = {
        code: path.relative_to(ROOT).as_posix()
        for path in sources()
        for code in codes_in(path.read_text("utf-8"))
        if code not in all_codes()
    }

    assert not missing, (
        f"add these to contracts/codes, then run `python -m deploy.reference`: {missing}"
    )


def test_no_code_is_explained_twice() -> None:
    counted = Counter(spec.code for _, specs in GROUPS for spec in specs)

    assert [code for code, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("spec", all_codes().values(), ids=all_codes())
def test_an_explanation_is_whole(spec: object) -> None:
    from contracts.codes import CodeSpec

    assert isinstance(spec, CodeSpec)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.code)
    assert spec.consequences
    assert set(spec.consequences) <= set(CONSEQUENCES)
    assert spec.meaning.endswith((".", "!"))
    assert spec.remedy.endswith(".")
