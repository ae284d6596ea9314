"""A Prometheus and an Alertmanager of one's own, and the webhook that alerts arrive at."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from contracts.errors import FatalError, UsageError
from deploy.local.ports import free_port
from deploy.monitoring.alertmanager import alertmanager_document
from deploy.monitoring.drill.shortened import shorter, shorter_rules
from deploy.monitoring.jobs import JOBS
from deploy.monitoring.prometheus import rules_document
from deploy.monitoring.settings import ObjectiveSettings

INTERVAL: Final = "2s"
"""Between scrapes, and between evaluations."""

_ANSWERS_WITHIN_S: Final = 60.0
_TARGETS: Final = "targets-{}.json"
_RESEND: Final = "3s"
"""How often Prometheus tells again what fires; by default a minute."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert, as the webhook was told of it.

    Attributes:
        at: seconds since the drill began.
        name: of the alert.
        status: ``firing`` or ``resolved``.
        summary: its rendered line.
    """

    at: float
    name: str
    status: str
    summary: str


class Watchers:
    """Both programs, from entering until leaving.

    Args:
        folder: for their files.
        times: by what durations are divided.
        objectives: what is written into the rules.
    """

    def __init__(self, folder: Path, *, times: int, objectives: ObjectiveSettings) -> None:
        self._folder = folder
        self._times = times
        self._objectives = objectives
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._began = time.monotonic()
        self.told: list[Told] = []
        self.url = ""

    @property
    def now_s(self) -> float:
        """Seconds since they were made."""
        return time.monotonic() - self._began

    def scrape(self, targets: Mapping[str, Iterable[int]]) -> None:
        """Scrape these from now on: job to ports of this machine; others are forgotten.

        May be said before they run, and at any time later.
        """
        for job in JOBS:
            addresses = [f"127.0.0.1:{port}" for port in targets.get(job.name, ())]
            path = self._folder / _TARGETS.format(job.name)
            scratch = path.with_suffix(".new")
            scratch.write_text(json.dumps([{"targets": addresses}] if addresses else []))
            scratch.replace(path)  # Prometheus may read it at any moment

    def __enter__(self) -> Self:
        self._prometheus = _program("prometheus")
        alertmanager = _program("prometheus-alertmanager", "alertmanager")
        self._webhook = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(self))
        threading.Thread(target=self._webhook.serve_forever, daemon=True).start()
        try:
            self._port, alert_port = free_port(), free_port()
            self.url = f"http://127.0.0.1:{self._port}"
            self._write(alert_port)
            self._run(
                "alertmanager",
                alertmanager,
                f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alert_port}",
                "--cluster.listen-address=",
            )
            # What is told while it is away is told again a minute later.
            self._until_ready(f"http://127.0.0.1:{alert_port}")
            self.start_prometheus()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def start_prometheus(self) -> None:
        """Start it, or start it again on what it knew."""
        self._run(
            "prometheus",
            self._prometheus,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            f"--rules.alert.resend-delay={_RESEND}",
        )
        self._until_ready(self.url)

    def stop_prometheus(self) -> None:
        """Stop it: from then on nobody evaluates anything."""
        _end(self._running.pop("prometheus"))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            _end(process)
        self._running.clear()
        self._webhook.shutdown()
        self._webhook.server_close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query: each with ``metric`` and ``value``."""
        found: list[dict[str, Any]] = self._asked("query", query=expression)["result"]
        return found

    def query_range(self, expression: str, seconds: float, step_s: int) -> list[dict[str, Any]]:
        """The series of the last seconds: each with ``metric`` and ``values``."""
        end = time.time()
        found: list[dict[str, Any]] = self._asked(
            "query_range",
            query=expression,
            start=f"{end - seconds:.3f}",
            end=f"{end:.3f}",
            step=f"{step_s}s",
        )["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire, as Prometheus says."""
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}

    def rule_errors(self) -> list[str]:
        """Rules that could not be evaluated."""
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in self._asked("rules")["groups"]
            for rule in group["rules"]
            if rule.get("lastError")
        ]

    def _asked(self, what: str, **parameters: str) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
            data: dict[str, Any] = json.loads(answer.read())["data"]
        return data

    def _write(self, alert_port: int) -> None:
        rules = shorter_rules(rules_document(self._objectives), self._times, interval=INTERVAL)
        scrape = {
            "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": ["rules.yml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alert_port}"]}]}]
            },
            "scrape_configs": [
                {
                    "job_name": job.name,
                    "file_sd_configs": [
                        {"files": [_TARGETS.format(job.name)], "refresh_interval": "1s"}
                    ],
                }
                for job in JOBS
            ],
        }
        alerts = alertmanager_document()
        alerts["route"] |= {"group_wait": "1s", "group_interval": "2s"}
        for route in alerts["route"]["routes"]:
            for name in ("group_wait", "group_interval", "repeat_interval"):
                if name in route:
                    route[name] = shorter(route[name], self._times)
        for receiver in alerts["receivers"]:
            for hook in receiver["webhook_configs"]:
                hook["url"] = f"http://127.0.0.1:{self._webhook.server_port}/{receiver['name']}"
        for name, document in (
            ("rules.yml", rules),
            ("prometheus.yml", scrape),
            ("alertmanager.yml", alerts),
        ):
            (self._folder / name).write_text(yaml.safe_dump(document, sort_keys=False))

    def _run(self, name: str, program: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - the programs that were asked for
                [program, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def _until_ready(self, url: str) -> None:
        deadline = time.monotonic() + _ANSWERS_WITHIN_S
        while True:
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310 - our own
                    return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise FatalError(
                        f"{url} does not answer",
                        code="fatal",
                        hint=f"its log is in {self._folder}",
                    ) from None
                time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise UsageError(
        f"{names[0]} is not on the path",
        code="extra_missing",
        hint="on Debian: apt-get install prometheus prometheus-alertmanager",
    )


def _receiver(watchers: Watchers) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            for alert in json.loads(body)["alerts"]:
                told = Told(
                    watchers.now_s,
                    alert["labels"]["alertname"],
                    alert["status"],
                    alert["annotations"]["summary"],
                )
                watchers.told.append(told)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            del format, args

    return Receiver
