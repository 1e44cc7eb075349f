"""What do the services write into their logs? A JSON object a line: time, level, sentence, and the facts beside it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, TextIO

import structlog


def log_as_service(service: str) -> None:
    """Write this process's log lines to standard error, which the supervisor keeps in a file."""
    _log(service, sys.stderr)


def log_to_file(path: Path) -> None:
    """Write the log lines of what a command does itself into a file: its output is for people, or is JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _log("homeward", path.open("a", encoding="utf-8", buffering=1))


def _log(service: str, out: TextIO) -> None:
    def name_service(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {"service": service, **event}

    shared: list[structlog.types.Processor] = [
        name_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
