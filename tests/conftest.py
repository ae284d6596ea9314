"""What every test may use: a real broker, topics of its own, and a home that is not the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from contracts.settings import KafkaSettings
from deploy.local import LocalBroker, LocalSettings
from tests.brokers import choice
from tests.brokers.admin import AdminThread, TopicFactory
from tests.brokers.choice import Broker
from tests.brokers.program import Program
from tests.brokers.secured import Tenant

if TYPE_CHECKING:
    from tests.streams.command import MgeoOn

# A busy machine is slow, not wrong: pytest's own timeout catches what hangs.
hypothesis_settings.register_profile("suite", deadline=None)
hypothesis_settings.load_profile("suite")

# Read before any test changes the environment: downloaded jars are shared with the user, and
# with other runs of the suite, since they are read-only and verified.
LOCAL_SETTINGS = LocalSettings()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first; all else keeps its order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_report_header() -> str:
    return f"broker: {choice.describe()}"


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give all tests a home folder and no MGEO_ setting of the user's."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in [name for name in os.environ if name.startswith(("XDG_", "MGEO_"))]:
            if not name.startswith("MGEO_TEST_"):
                patch.delenv(name)
        yield home


@pytest.fixture(scope="session")
def local_settings() -> LocalSettings:
    """Settings for local brokers of tests: the shared jar cache, everything else default."""
    return LOCAL_SETTINGS


@pytest.fixture(scope="session")
def broker(local_settings: LocalSettings) -> Iterator[Broker]:
    """The session's real broker. Never stop, pause or fill it: take `own_broker` for that."""
    with choice.running(local_settings) as running:
        yield running


@pytest.fixture
def kafka(broker: Broker) -> KafkaSettings:
    """Settings that reach the session's broker."""
    return KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)


@pytest.fixture(scope="session")
def _admin(broker: Broker) -> Iterator[AdminThread]:
    admin = AdminThread(broker.bootstrap_servers)
    yield admin
    admin.close()


@pytest.fixture
def topics(_admin: AdminThread) -> Iterator[TopicFactory]:
    """Makes topics with unique names on the session's broker, gone after the test."""
    factory = TopicFactory(_admin)
    yield factory
    factory.delete_all()


@pytest.fixture
def mgeo(tmp_path: Path, local_settings: LocalSettings) -> Iterator[Program]:
    """The `mgeo` program in a home of its own; a broker that it started is gone after the test."""
    home = tmp_path / "mgeo-home"
    home.mkdir()
    program = Program(home, local_settings.cache_dir)
    yield program
    if program.state_dir.exists():
        program("down", "--wipe")


@pytest.fixture
def mgeo_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> MgeoOn:
    """`mgeo` in this process, on a stream that the test names; its state goes with the test."""
    from tests.streams.command import mgeo_for  # the whole command line, which few tests need

    return lambda stream: mgeo_for(stream, tmp_path / "state", monkeypatch, capsys)


@pytest.fixture
def own_broker(local_settings: LocalSettings) -> Iterator[Callable[..., LocalBroker]]:
    """Start brokers that the test may kill, pause and restart; all are gone after it.

    Keyword arguments are LocalBroker's.
    """
    started: list[LocalBroker] = []

    def start(**options: object) -> LocalBroker:
        one = LocalBroker(local_settings, **options)  # type: ignore[arg-type]  # passed through
        started.append(one)
        return one.start()

    yield start
    for one in started:
        if one.is_running:
            one.resume()
        one.stop()


@pytest.fixture(scope="session")
def secured_broker(local_settings: LocalSettings) -> Iterator[LocalBroker]:
    """The session's real broker with TLS, a user for each role, and an authorizer."""
    with LocalBroker(local_settings, secure=True) as running:
        yield running


@pytest.fixture(scope="session")
def _secured_admin(secured_broker: LocalBroker) -> Iterator[AdminThread]:
    admin = AdminThread(secured_broker.client())
    yield admin
    admin.close()


@pytest.fixture
def tenant(secured_broker: LocalBroker, _secured_admin: AdminThread) -> Iterator[Tenant]:
    """A system of three partitions on the secured broker, every role with its rights."""
    factory = TopicFactory(_secured_admin)
    one = Tenant(secured_broker, factory.create_standard(3))
    one.grant_all()
    yield one
    factory.delete_all()


@pytest.fixture
def own_topics() -> Iterator[Callable[[LocalBroker], TopicFactory]]:
    """Make topics on a broker of the test's own."""
    admins: list[AdminThread] = []

    def on(one: LocalBroker) -> TopicFactory:
        admin = AdminThread(one.bootstrap_servers)
        admins.append(admin)
        return TopicFactory(admin)

    yield on
    for admin in admins:
        admin.close()
