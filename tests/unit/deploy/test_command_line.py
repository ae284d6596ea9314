"""What every command of `mgeo` promises: quick help with an example, and clear errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperGroup

from contracts.errors import BackendUnreachableError, MgeoError, UsageError
from deploy.cli import boundary, exit_codes
from deploy.cli.program import build
from deploy.errors import BrokerStartError
from tests.brokers.program import ROOT

HEAVY = ("torch", "transformers", "aiokafka", "pydantic_settings", "pyarrow", "numpy", "psutil")


def commands(command: object, path: tuple[str, ...] = ("mgeo",)) -> Iterator[tuple[str, object]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))
    else:
        yield " ".join(path), command


ALL = dict(commands(typer.main.get_command(build())))


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom deploy.cli import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        f"    print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr.strip() == "[]"
    assert "Usage: mgeo" in result.stdout


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does_and_shows_an_example(name: str) -> None:
    command = ALL[name]
    assert getattr(command, "help", None), name
    assert f"Example: {name}" in (getattr(command, "epilog", None) or ""), name


def run_raising(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    def fails() -> None:
        raise error

    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("fails")(fails)
    monkeypatch.setattr(boundary, "build", lambda: app)
    code = boundary.run(["fails"])
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("wrong", hint="do this"), exit_codes.USAGE),
        (BackendUnreachableError("away", hint="do this"), exit_codes.UNREACHABLE),
        (BrokerStartError("ended", hint="do this", details="its log"), exit_codes.FAILED),
        (MgeoError("other", hint="do this"), exit_codes.FAILED),
    ],
)
def test_our_errors_are_a_sentence_a_way_out_and_a_code(
    error: MgeoError,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found, text = run_raising(error, monkeypatch, capsys)
    assert found == code
    assert text.splitlines()[:2] == [f"Error: {error}", "do this"]
    assert "Traceback" not in text


def test_an_unexpected_error_shows_no_traceback_and_none_of_its_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run_raising(ValueError("北京市海淀区"), monkeypatch, capsys)
    assert code == exit_codes.UNEXPECTED
    assert "ValueError" in text
    assert "北京" not in text
    assert "Traceback" not in text


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MGEO_DEBUG", "1")
    code, text = run_raising(ValueError("where"), monkeypatch, capsys)
    assert code == exit_codes.UNEXPECTED
    assert "Traceback" in text


def test_a_full_disk_and_an_interruption_are_not_called_unexpected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = run_raising(OSError(28, "No space left on device"), monkeypatch, capsys)
    assert full == (
        exit_codes.FAILED,
        "Error: the disk is full.\nFree some space and run the command again.\n",
    )
    assert run_raising(KeyboardInterrupt(), monkeypatch, capsys) == (130, "Interrupted.\n")


@pytest.mark.parametrize("arguments", [["nix"], ["up", "--port", "x"], ["topics"], ["up", "--nix"]])
def test_usage_errors_leave_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert boundary.run(arguments) == exit_codes.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
