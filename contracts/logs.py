"""Structured logs: one JSON object a line on standard error. Never an address in them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it brings rich along, which a short command need not pay for
    import structlog


def configure_logs(*, json_lines: bool | None = None, level: int = logging.INFO) -> None:
    """Set up logging for a whole process.

    Args:
        json_lines: None means JSON unless a person watches standard error.
        level: for our own loggers.

    aiokafka logs keys and values at DEBUG, so its logger stays above that whatever ``level``
    is: addresses are personal data.
    """
    import structlog

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
