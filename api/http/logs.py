"""The log of the service: lines of text or of JSON, each with the id of the request that it belongs to."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

request_ids: ContextVar[str] = ContextVar("request_id", default="")


def set_up_logging(form: Literal["text", "json"]) -> None:
    """Write what the process logs to stderr."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_request_id)
    handler.setFormatter(_JsonLines() if form == "json" else _TextLines("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_ids.get()
    return True


class _TextLines(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line; what a client sent begins no line of its own, and drives no terminal."""
        request_id = getattr(record, "request_id", "")
        line = super().formatMessage(record) + (f" [{request_id}]" if request_id else "")
        return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)


class _JsonLines(logging.Formatter):
    """One object a line: time in UTC, level, logger, message, request_id, and what an access log tells."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "") or None,
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in told.items() if value is not None}, ensure_ascii=False)
