"""The images, built once a session, and containers that are gone after their test."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.image.digests import images_in
from tests.images import stand_in
from tests.images.engine import Container, Engine, find_engine

ROOT = Path(__file__).parents[2]
WORK = ROOT / "out/images"
"""What is worth keeping between runs: the stand-in for the base image."""

LABELS = {"VERSION": "9.8.7", "REVISION": "0123abcd", "SOURCE": "https://git.example.org/mgeo"}

Build = Callable[..., str]
Start = Callable[..., Container]


@pytest.fixture(scope="session")
def plain_engine() -> Engine:
    """Docker or podman."""
    WORK.mkdir(parents=True, exist_ok=True)
    engine = find_engine(WORK)
    if engine is None:
        pytest.skip("neither Docker nor podman is here")
    return engine


@dataclasses.dataclass(frozen=True)
class Bases:
    """An engine that has the base image, and the Dockerfile that names it."""

    engine: Engine
    dockerfile: Path
    registry: str | None
    """Of the stand-ins, ``host:port``; None where images can be pulled."""


@pytest.fixture(scope="session")
def bases(plain_engine: Engine) -> Iterator[Bases]:
    """The committed Dockerfile where its base can be pulled; else one for a stand-in."""
    dockerfile = ROOT / "Dockerfile"
    text = dockerfile.read_text("utf-8")
    (image,) = images_in(text)
    named = f"{image.name}:{image.tag}@sha256:{images_in(text)[image]}"
    if plain_engine("pull", named, check=False).returncode == 0:
        yield Bases(plain_engine, dockerfile, None)
        return
    print(f"\n{named} cannot be pulled here: Debian's own Python stands in for it")
    with stand_in.registry(WORK) as address:
        stand_in.python_base(plain_engine, WORK, image, address)
        environment = {**plain_engine.environment, **stand_in.mirror(WORK, address)}
        engine = dataclasses.replace(plain_engine, environment=environment)
        copy = stand_in.pinned(dockerfile, WORK / "Dockerfile", address)
        yield Bases(engine, copy, address)


@pytest.fixture(scope="session")
def engine(bases: Bases) -> Engine:
    """The engine to build and run with."""
    return bases.engine


@pytest.fixture(scope="session")
def build(bases: Bases) -> Build:
    """Build a target: ``build("gateway", MGEO_VERSION="…")`` gives the image's name.

    Once each: to see that nothing has changed an engine reads all of PyTorch, for minutes.
    """

    @functools.cache
    def run(target: str, *, tag: str = "test", **arguments: str) -> str:
        # Where PyTorch's own index is out of reach: TORCH_INDEX= takes the Python index.
        if (index := os.environ.get("MGEO_TEST_TORCH_INDEX")) is not None:
            arguments = {"TORCH_INDEX": index, **arguments}
        name = f"mgeo-stream-{target}:{tag}"
        given = {**LABELS, **arguments}
        return bases.engine.build(
            name, target=target, file=bases.dockerfile, context=ROOT, arguments=given
        )

    return run


@pytest.fixture(scope="session")
def gateway_image(build: Build) -> str:
    """No PyTorch in it."""
    return build("gateway")


@pytest.fixture(scope="session")
def controller_image(build: Build) -> str:
    """No PyTorch in it either."""
    return build("controller")


@pytest.fixture(scope="session")
def worker_image(build: Build) -> str:
    """What a plain build makes."""
    return build("worker")


@pytest.fixture(scope="session")
def tests_image(build: Build) -> str:
    """The worker with its tests in it."""
    return build("test")


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start containers; all are gone after the test."""
    started: list[Container] = []

    def run(image: str, *command: str, **options: object) -> Container:
        started.append(engine.start(image, *command, **options))  # type: ignore[arg-type]  # passed on
        return started[-1]

    yield run
    for container in started:
        container.remove()
