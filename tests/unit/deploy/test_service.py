"""How a service's process is set up before anything of it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from contracts.errors import UsageError
from deploy.cli.boundary import run

PRINTS = """
import gc
from deploy.service import run_service

async def main() -> None:
    print(gc.get_freeze_count())

run_service(main(), "mgeo-test")
"""


def test_leaves_what_was_imported_out_of_garbage_collections() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1_000


STARTS_SLOWLY = """
import time
from deploy.service import leave_on_sigterm

leave_on_sigterm()
print("starting", flush=True)
time.sleep(60)
"""


def test_a_service_that_is_stopped_while_it_starts_leaves_with_0() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_SLOWLY], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        service.stdout.readline()
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "command", [["worker"], ["gateway"], ["rollout", "controller"], ["deploy", "scale-shadow"]]
)
def test_every_service_can_be_stopped_before_it_imports_anything_slow(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked() -> None:
        raise UsageError("the signal was asked for", code="bad_role")

    monkeypatch.setattr("deploy.service.leave_on_sigterm", asked)
    run(command)
    assert "the signal was asked for" in capsys.readouterr().err


STOPS_ITSELF = """
import os, signal, time
from deploy import cli

def told_to_stop(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)
    return 7

import deploy.cli.boundary
deploy.cli.boundary.run = told_to_stop
cli.main([])
"""


def test_a_command_that_is_process_1_can_be_stopped() -> None:
    """As in a container, where the kernel drops signals that nobody asked for."""
    unshare = shutil.which("unshare")
    if unshare is None or os.getuid() != 0:
        pytest.skip("only root may make a process number 1")
    command = [unshare, "--pid", "--fork", sys.executable, "-c", STOPS_ITSELF]
    assert subprocess.run(command, check=False).returncode == 128 + signal.SIGTERM
