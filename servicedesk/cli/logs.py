"""The log: one event a line, JSON where no person reads along; on stderr, so that stdout stays the answer."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from servicedesk.config import Log
from servicedesk.errors import ConfigError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(config: Log) -> None:
    """Set up the log of this process. Raises ConfigError for a level or format that does not exist."""
    if config.level not in LEVELS:
        raise ConfigError(f"log.level: {config.level!r} is none of {', '.join(LEVELS)}")
    if config.format not in ("auto", "console", "json"):
        raise ConfigError(f"log.format: {config.format!r} is none of auto, console, json")
    console = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[config.level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(console))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[config.level])
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a full pool is no news: requests wait a moment


def _formatter(console: bool) -> logging.Formatter:
    # Tracebacks without local variables: those may hold tokens and passwords.
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_SHARED),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
