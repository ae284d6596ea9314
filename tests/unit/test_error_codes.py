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


def codes_in(source: str) -> set[str]:
    """Codes that this source raises or returns.

    Strings given as ``code=…``, as ``default_code``, or as the fault of an ``AddressInput`` or
    ``BadLine``, and what ``text_fault`` returns.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Name(id=("AddressInput" | "BadLine")), args=args, keywords=named
            ):
                values = [*args[1:], *(word.value for word in named if word.arg == "fault")]
                found |= {text for value in values for text in literals(value)}
            case ast.Call(keywords=named):
                for word in named:
                    if word.arg == "code":
                        found |= literals(word.value)
            case (
                ast.Assign(targets=[ast.Name(id="default_code")], value=value)
                | ast.AnnAssign(target=ast.Name(id="default_code"), value=ast.expr() as value)
            ):
                found |= literals(value)
            case ast.FunctionDef(name="text_fault", body=body):
                for inner in body:
                    for step in ast.walk(inner):
                        if isinstance(step, ast.Return) and step.value is not None:
                            found |= literals(step.value)
            case _:
                pass
    return {text for text in found if text}


def literals(value: ast.expr) -> set[str]:
    match value:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return literals(one) | literals(other)
        case _:
            return set()


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_search_finds_codes_wherever_they_are_written() -> None:
    source = """
class E(MgeoError):
    default_code = "one"
def f(x):
    raise UsageError("m", code="two" if x else "three")
def text_fault(text):
    return None if text else "four"
AddressInput("#1", None, "five"); BadLine(3, "six", "")
"""
    assert codes_in(source) == {"one", "two", "three", "four", "five", "six"}


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
