"""The broker's configuration as text: a pure function of its place and ports. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NODE_ID = 1

# One broker that is its own controller, with every internal topic kept on it alone.
SINGLE_NODE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": str(NODE_ID),
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Fifty partitions each is for clusters: here it is files and start-up time.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
}

BEHAVIOUR: Mapping[str, str] = {
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # A lone consumer need not wait three seconds for others to join its group.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # After a kill the broker may register again only once its old session has run out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # A transaction whose owner died is aborted within half a second of its time-out.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # Topics set their own, smaller limit; this is only the roof over them.
    "message.max.bytes": str(32 * 1024 * 1024),
    "replica.fetch.max.bytes": str(32 * 1024 * 1024),
    "delete.topic.enable": "true",
    "file.delete.delay.ms": "1000",
}

FOOTPRINT: Mapping[str, str] = {
    # The default of 128 MiB does not fit the heap, and the broker then dies without a word.
    "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "group.coordinator.threads": "1",
}


def server_properties(
    *,
    host: str,
    port: int,
    controller_port: int,
    data_dir: Path | str,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return every broker setting; `overrides` win over all of them."""
    return {
        **SINGLE_NODE,
        **BEHAVIOUR,
        **FOOTPRINT,
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller_port}",
        "log.dirs": str(data_dir),
        **(overrides or {}),
    }


def render(properties: Mapping[str, str]) -> str:
    """Write settings in Java's properties format.

    It is Latin-1 with a backslash as its escape character, so a folder like 张伟's home is written
    in escapes, one per UTF-16 unit.
    """
    lines = [f"{key}={_escape(value)}" for key, value in properties.items()]
    return "\n".join(lines) + "\n"


def _escape(value: str) -> str:
    units = value.replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)


def log4j2_config(level: str) -> str:
    """Logging to one file of bounded size; its path is given as -Dmgeo.log=…."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="file" fileName="${{sys:mgeo.log}}" filePattern="${{sys:mgeo.log}}.%i">
      <PatternLayout pattern="%d{{ISO8601}} %-5p %m (%c{{1}})%n"/>
      <Policies><SizeBasedTriggeringPolicy size="10 MB"/></Policies>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="{level}"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""
