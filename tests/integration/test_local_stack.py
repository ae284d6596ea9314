"""`mgeo up` and `mgeo down` on a real broker, also when things are not as they should be."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.errors import BrokerStartError
from deploy.local import LocalBroker, LocalSettings
from deploy.local.jars import jar_dir, pinned
from deploy.local.ports import free_port, is_free
from deploy.local.readiness import answers_now
from tests.brokers.program import ROOT, Program

pytestmark = pytest.mark.broker


def processes_on(folder: Path) -> list[psutil.Process]:
    """Every living process whose command line names something in the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(str(folder) in word for word in command):
            found.append(process)
    return found


def up(mgeo: Program, *arguments: str) -> dict[str, object]:
    outcome = mgeo("up", "--output", "json", *(arguments or ("--port", "0")))
    assert outcome.code == 0, outcome.err
    return dict(outcome.json)


def kill(pid: object) -> None:
    process = psutil.Process(int(str(pid)))
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_up_twice_is_one_broker_and_down_leaves_nothing(mgeo: Program) -> None:
    first = up(mgeo)
    second = up(mgeo)
    assert (first["started"], second["started"]) == (True, False)
    assert first["pid"] == second["pid"]
    assert first["bootstrap_servers"] == second["bootstrap_servers"]
    assert answers_now(str(first["bootstrap_servers"]))
    assert mgeo.state_dir.stat().st_mode & 0o077 == 0  # records are addresses

    assert mgeo("down").code == 0
    assert processes_on(mgeo.state_dir) == []
    assert is_free(int(str(first["bootstrap_servers"]).rpartition(":")[2]))
    again = mgeo("down")
    assert (again.code, again.out) == (0, "No broker was running.\n")


def test_concurrent_ups_start_one_broker(mgeo: Program) -> None:
    running = [mgeo.start("up", "--port", "0", "--output", "json") for _ in range(3)]
    outcomes = [mgeo.end(process) for process in running]
    assert [outcome.code for outcome in outcomes] == [0, 0, 0]
    assert sorted(outcome.json["started"] for outcome in outcomes) == [False, False, True]
    assert len({outcome.json["pid"] for outcome in outcomes}) == 1
    assert len(processes_on(mgeo.state_dir)) == 1


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()
        yield int(server.getsockname()[1])


def test_a_port_asked_for_and_in_use_is_a_clear_usage_error(mgeo: Program, taken_port: int) -> None:
    outcome = mgeo("up", "--port", str(taken_port))
    assert outcome.code == 2
    assert outcome.err.startswith(f"Error: Port {taken_port} is in use by another program.\n")
    assert "--port" in outcome.err
    assert processes_on(mgeo.state_dir) == []


def test_the_default_port_in_use_is_replaced_and_printed(mgeo: Program) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", 9092))
            server.listen()
        except OSError:
            pass  # something else holds it already, which is as good
        outcome = mgeo("up")
        assert outcome.code == 0, outcome.err
        address = outcome.out.split()[-1]
        assert f"export MGEO_KAFKA_BOOTSTRAP_SERVERS={address}" in outcome.err
        assert address.startswith("127.0.0.1:")
        assert address != "127.0.0.1:9092"
        assert "Port 9092 is in use by another program; using" in outcome.err
        assert answers_now(address)


def test_a_killed_broker_starts_again_with_its_records(mgeo: Program) -> None:
    before = up(mgeo)
    assert mgeo("topics", "create", "--topics-only", "--partitions", "1").code == 0
    asyncio.run(_send(str(before["bootstrap_servers"]), b"kept"))
    kill(before["pid"])

    outcome = mgeo("up", "--port", "0", "--output", "json")
    assert outcome.code == 0, outcome.err
    assert "had ended without `mgeo down`" in outcome.err
    assert outcome.json["started"] is True
    assert outcome.json["pid"] != before["pid"]
    assert asyncio.run(_first(outcome.json["bootstrap_servers"])) == b"kept"

    assert mgeo("down", "--wipe").code == 0
    assert sorted(path.name for path in mgeo.state_dir.iterdir()) in ([], [".lock"])


async def _send(address: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    await producer.send_and_wait("address.events", value)
    await producer.stop()


async def _first(address: str) -> bytes | None:
    reader = AIOKafkaConsumer(
        "address.events", bootstrap_servers=address, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        record = await asyncio.wait_for(reader.getone(), 30)
        return bytes(record.value)
    finally:
        await reader.stop()


def test_an_up_that_was_killed_midway_is_recovered(mgeo: Program) -> None:
    process = mgeo.start("up", "--port", "0")
    deadline = time.monotonic() + 60
    while not processes_on(mgeo.state_dir) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()

    state = up(mgeo)
    assert answers_now(str(state["bootstrap_servers"]))
    assert [p.pid for p in processes_on(mgeo.state_dir)] == [state["pid"]]
    assert not list(mgeo.state_dir.glob(".data-format-*"))


def test_a_lost_state_file_does_not_leave_a_broker_behind(mgeo: Program) -> None:
    lost = up(mgeo)
    (mgeo.state_dir / "state.json").unlink()
    outcome = mgeo("down", "--output", "json")
    assert outcome.json["stopped"] == [lost["pid"]]
    assert processes_on(mgeo.state_dir) == []


def test_a_half_written_data_folder_is_made_anew(mgeo: Program) -> None:
    data = mgeo.state_dir / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\n")
    state = up(mgeo)
    assert answers_now(str(state["bootstrap_servers"]))
    assert "cluster.id" in (data / "meta.properties").read_text()


def test_records_without_their_meta_file_are_refused_until_given_up(mgeo: Program) -> None:
    records = mgeo.state_dir / "data" / "address.events-0"
    records.mkdir(parents=True)
    outcome = mgeo("up", "--port", "0")
    assert outcome.code == 1
    assert "holds topics, but its meta.properties is missing" in outcome.err
    assert "mgeo down --wipe" in outcome.err
    assert records.exists()
    assert mgeo("down", "--wipe").code == 0
    assert not records.exists()


def test_too_little_disk_is_said_before_anything_starts(mgeo: Program) -> None:
    outcome = mgeo("up", "--port", "0", MGEO_BROKER_MIN_FREE_DISK_MIB="999999999")
    assert outcome.code == 1
    assert "MiB free; the broker needs 999999999 MiB." in outcome.err
    assert processes_on(mgeo.state_dir) == []


def test_a_tampered_jar_is_refused(mgeo: Program, tmp_path: Path) -> None:
    real = jar_dir(Path(mgeo.environment["MGEO_CACHE_DIR"]), pinned())
    copy = jar_dir(tmp_path / "cache", pinned())
    copy.mkdir(parents=True)
    for jar in real.iterdir():
        os.link(jar, copy / jar.name)
    victim = copy / "kafka-clients-4.1.0.jar"
    content = bytearray(victim.read_bytes())
    content[1000] ^= 1
    victim.unlink()
    victim.write_bytes(content)

    outcome = mgeo("up", "--port", "0", MGEO_CACHE_DIR=str(tmp_path / "cache"))
    assert outcome.code == 1
    assert "kafka-clients-4.1.0.jar is not the one this version was tested with" in outcome.err
    assert processes_on(mgeo.state_dir) == []
    shutil.rmtree(copy)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("log.retention.ms", "soon", "could not format its data folder"),
        ("authorizer.class.name", "no.such.Authorizer", "ended while it was starting"),
    ],
)
def test_a_broker_that_cannot_live_shows_its_last_words(
    local_settings: LocalSettings, setting: str, value: str, message: str
) -> None:
    broker = LocalBroker(local_settings, overrides={setting: value})
    with pytest.raises(BrokerStartError, match=message) as caught:
        broker.start()
    assert value in caught.value.details
    assert not broker.is_running
    assert not broker.work_dir.exists()


def test_a_folder_with_spaces_and_hanzi_will_do(
    local_settings: LocalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    work_dir = tmp_path / "张 伟 的 #1 folder"
    with LocalBroker(local_settings, work_dir=work_dir) as broker:
        assert answers_now(broker.bootstrap_servers)
        assert broker.log_file.exists()
    assert (work_dir / "data" / "meta.properties").exists()
    assert list(tmp_path.iterdir()) == [work_dir]


def test_a_paused_broker_still_goes_down(mgeo: Program) -> None:
    state = up(mgeo)
    psutil.Process(int(str(state["pid"]))).suspend()
    outcome = mgeo("down", "--output", "json")
    assert outcome.json["stopped"] == [state["pid"]]
    assert processes_on(mgeo.state_dir) == []


def test_down_never_ends_another_program_that_got_the_pid(mgeo: Program) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        mgeo.state_dir.mkdir()
        state = {
            "kind": "process",
            "bootstrap_servers": "127.0.0.1:1",
            "data_dir": "",
            "kafka_version": "4.1.0",
            "pid": bystander.pid,
            "create_time": psutil.Process(bystander.pid).create_time() - 100,
        }
        (mgeo.state_dir / "state.json").write_text(json.dumps(state))
        outcome = mgeo("down")
        assert (outcome.code, outcome.out) == (0, "No broker was running.\n")
        assert bystander.poll() is None
        bystander.kill()


def test_a_broker_of_tests_dies_with_its_owner(
    local_settings: LocalSettings, tmp_path: Path
) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from deploy.local import LocalBroker\n"
        f"broker = LocalBroker(work_dir=Path({str(tmp_path / 'b')!r})).start()\n"
        "print(broker.pid, flush=True)\ntime.sleep(60)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MGEO_CACHE_DIR": str(local_settings.cache_dir),
    }
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        broker = psutil.Process(pid)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    gone, alive = psutil.wait_procs([broker], timeout=10)
    assert (len(gone), alive) == (1, [])


def test_commands_find_the_running_broker_or_say_what_to_do(mgeo: Program) -> None:
    without = mgeo("topics", "check")
    assert without.code == 6
    assert "mgeo up" in without.err
    refused = mgeo("topics", "check", MGEO_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert refused.code == 6
    assert "does not answer at 127.0.0.1:1" in refused.err

    up(mgeo)
    missing = mgeo("topics", "check", "--output", "json")
    assert missing.code == 1
    assert {d["kind"] for d in missing.json["differences"]} == {"missing"}

    create = ("topics", "create", "--topics-only", "--output", "json")
    created = mgeo(*create, "--partitions", "2")
    assert created.code == 0, created.err
    assert "address.events" in created.json["created"]
    repeated = mgeo(*create)
    assert (repeated.code, repeated.json["created"]) == (0, [])
    assert mgeo("topics", "check").out == "All topics are as they must be.\n"

    doctor = mgeo("doctor", "--output", "json")
    found = {finding["name"]: finding["status"] for finding in doctor.json}
    assert found["serving"] == "broken", doctor.out  # nobody wrote the first record
    for name in ("Python", "Java", "broker jars", "broker data", "Kafka", "topics", "disk"):
        assert found[name] == "ok", doctor.out
