"""Bases for places that reach no registry of images: Debian's own Python, behind a real registry.

The Dockerfile is built as it is committed; a copy of it gets the digest that this registry gives,
by the same program that asks Docker Hub elsewhere.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from deploy.image import digests
from deploy.local import jars
from deploy.local.ports import free_port
from tests.images.engine import Engine

_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,netbase,tzdata"
# Where the official image has it.
_LINKS = (
    "for p in python python3 python3.11; do ln -s /usr/bin/python3.11 $1/usr/local/bin/$p; done"
)

BROKER_IMAGE = Path(__file__).parents[1] / "brokers/image"
# The official program is in a jar that no broker needs; this one asks the broker as well.
_API_VERSIONS = """\
#!/bin/sh
exec java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(printf '%s:' /opt/kafka/*.jar)" \\
    kafka.admin.ConfigCommand "$@" --describe --entity-type brokers
"""


@contextmanager
def registry(work: Path) -> Iterator[str]:
    """Run Debian's docker-registry over a folder; ``host:port``."""
    address = f"127.0.0.1:{free_port()}"
    configuration = work / "registry.yml"
    configuration.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {work / 'registry'}}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://{address}/v2/")
        yield address
    finally:
        process.terminate()
        process.wait()


def python_base(engine: Engine, work: Path, image: digests.Image, address: str) -> None:
    """Put Debian with its Python where the registry has the base of the Dockerfile.

    Once: an import is another image every time, and nothing that was built on it would be again.
    """
    if _has(address, image):
        return
    tar = _debian(work / "python-base.tar", _PACKAGES, _LINKS)
    name = f"{address}/{image.repository}:{image.tag}"
    engine("import", "--change", 'CMD ["python3"]', str(tar), name)
    engine("push", "--tls-verify=false", name)


def kafka_and_prometheus(
    engine: Engine, work: Path, images: Mapping[str, digests.Image], address: str, cache: Path
) -> None:
    """Put Kafka, from its published jars, and Debian's Prometheus where the registry has theirs.

    Args:
        images: ``kafka`` and ``prometheus`` as the Compose file names them.
        cache: the folder of downloads that local brokers use.
    """
    if all(_has(address, image) for image in images.values()):
        return
    tar = _debian(work / "java-base.tar", "ca-certificates,openjdk-17-jre-headless,prometheus,wget")
    base = "localhost/mgeo-debian-java:bookworm"
    engine("import", str(tar), base)
    context = work / "kafka"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(BROKER_IMAGE, context)
    (context / "jars/bin").mkdir(parents=True)
    for jar in jars.classpath(cache):
        shutil.copy(jar, context / "jars")
    program = context / "jars/bin/kafka-broker-api-versions.sh"
    program.write_text(_API_VERSIONS)
    program.chmod(0o755)
    kafka, prometheus = (f"{address}/{one.repository}:{one.tag}" for one in images.values())
    engine("build", *engine.build_options, "--build-arg", f"BASE={base}", "-t", kafka, str(context))
    start = 'ENTRYPOINT ["/usr/bin/prometheus"]'
    engine("import", "--change", start, str(tar), prometheus)
    for name in (kafka, prometheus):
        engine("push", "--tls-verify=false", name)


def pinned(file: Path, copy: Path, address: str) -> Path:
    """A copy of a file with the digests that this registry has."""
    copy.write_text(file.read_text("utf-8"), encoding="utf-8")
    code = digests.main(["--registry", f"docker.io=http://{address}", str(copy)])
    assert code == 0, "the stand-in registry gave no digests"
    return copy


def mirror(work: Path, address: str) -> Mapping[str, str]:
    """Environment that makes podman ask this registry for the images of Docker Hub."""
    configuration = work / "registries.conf"
    configuration.write_text(
        'unqualified-search-registries = ["docker.io"]\n'
        f'[[registry]]\nprefix = "docker.io"\nlocation = "{address}"\ninsecure = true\n'
    )
    return {"CONTAINERS_REGISTRIES_CONF": str(configuration)}


def _debian(tar: Path, packages: str, hook: str = "true") -> Path:
    """A Debian of these packages; what was made before is taken."""
    if not tar.exists():
        partial = tar.with_suffix(".partial.tar")
        subprocess.run(
            [
                *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"),
                *(f"--customize-hook={hook}", "bookworm", str(partial)),
            ],
            check=True,
        )
        partial.rename(tar)
    return tar


def _has(address: str, image: digests.Image) -> bool:
    url = f"http://{address}/v2/{image.repository}/manifests/{image.tag}"
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return False


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own, on this machine
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.1)
