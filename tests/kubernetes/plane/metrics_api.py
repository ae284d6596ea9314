"""A stand-in for metrics-server: a load that pods of one kind share, as the API server asks it.

It knows nothing of autoscaling: it says what pods use, and the real controller decides.
"""

from __future__ import annotations

import json
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes.plane.control_plane import Cluster

GROUP = "/apis/metrics.k8s.io/v1beta1"


class MetricsApi:
    """Answers for the metrics API of one cluster.

    Attributes:
        load: processors that the pods of a selector use together, by a part of the selector.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.load: dict[str, float] = {}
        self._cluster = cluster
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = outer.answer(self.path)
                self.send_response(200 if document is not None else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document or {}).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cluster.folder / "server.crt", cluster.folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def register(self) -> None:
        """Make the API server ask here."""
        self._cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "metrics-stand-in", "namespace": "default"},
                # A Service without pods cannot lead to loopback; a name can.
                "spec": {
                    "type": "ExternalName",
                    "externalName": "localhost",
                    "ports": [{"port": self._server.server_port}],
                },
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": "v1beta1.metrics.k8s.io"},
                "spec": {
                    "group": "metrics.k8s.io",
                    "version": "v1beta1",
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": {
                        "name": "metrics-stand-in",
                        "namespace": "default",
                        "port": self._server.server_port,
                    },
                },
            },
        )

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> dict[str, Any] | None:
        """The document of a path; None where there is none."""
        parts = urlsplit(path)
        if parts.path == GROUP:
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": "metrics.k8s.io/v1beta1",
                "resources": [
                    {
                        "name": "pods",
                        "singularName": "",
                        "namespaced": True,
                        "kind": "PodMetrics",
                        "verbs": ["get", "list"],
                    }
                ],
            }
        if parts.path != f"{GROUP}/namespaces/mgeo/pods":
            return None
        selector = parse_qs(parts.query).get("labelSelector", [""])[0]
        together = next((load for part, load in self.load.items() if part in selector), 0.0)
        pods = [
            one
            for one in self._cluster.get("pods", "-l", selector)["items"]
            if one["status"].get("phase") == "Running"
            and "deletionTimestamp" not in one["metadata"]
        ]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        each = f"{together / max(len(pods), 1) * 1000:.0f}m"
        return {
            "kind": "PodMetricsList",
            "apiVersion": "metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [
                {
                    "metadata": {
                        "name": pod["metadata"]["name"],
                        "namespace": "mgeo",
                        "labels": pod["metadata"]["labels"],
                    },
                    "timestamp": now,
                    "window": "10s",
                    "containers": [
                        {"name": box["name"], "usage": {"cpu": each, "memory": "256Mi"}}
                        for box in pod["spec"]["containers"]
                    ],
                }
                for pod in pods
            ],
        }
