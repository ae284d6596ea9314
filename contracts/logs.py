"""Structured logs: one JSON object a line on standard error. Never an address in them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it brings rich along, which a short command need not pay for
    import structlog


class LogBudget:
    """At most so many lines in a window, so that a flood of records is no flood of lines. Pure.

    Args:
        lines: how many in one window.
        window_s: its length, seconds.
    """

    def __init__(self, lines: int = 10, window_s: float = 1.0) -> None:
        self._lines = lines
        self._window_s = window_s
        self._begun = float("-inf")
        self._said = 0
        self._unsaid = 0

    def spend(self, now: float) -> int | None:
        """Ask for one line.

        Args:
            now: monotonic seconds.

        Returns:
            How many were refused since the last that was not; None: this one is refused too.
        """
        if now - self._begun >= self._window_s:
            self._begun, self._said = now, 0
        if self._said >= self._lines:
            self._unsaid += 1
            return None
        self._said += 1
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid


def configure_logs(*, json_lines: bool | None = None, level: int | None = None) -> None:
    """Set up logging for a whole process.

    Args:
        json_lines: None: as ``MGEO_LOG_FORMAT`` says.
        level: for our own loggers; None: as ``MGEO_LOG_LEVEL`` says.

    aiokafka logs keys and values at DEBUG, so its logger stays above that whatever ``level``
    is: addresses are personal data.
    """
    import structlog

    from contracts.settings import LogSettings

    settings = LogSettings()
    if json_lines is None and settings.log_format != "auto":
        json_lines = settings.log_format == "json"
    if level is None:
        level = logging.getLevelNamesMapping()[settings.log_level]
    pretty = sys.stderr.isatty() if json_lines is None else not json_lines
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("aiokafka").setLevel(max(level, logging.WARNING))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for ``name``; events are short phrases, details are key-value pairs."""
    import structlog

    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
