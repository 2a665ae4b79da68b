"""The log: one line an event, for people (console) or for machines (JSON), on standard error.

Every module logs an event's name and what belongs to it: `log.warning("stream.away", extra={"detail": …})`. Nothing
personal is in a line: no addresses, names or texts, no query strings, no bodies. So of a fault we keep the frames and
the types, and only those messages that speak of code; what a database or a parser says may quote a customer.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hub.errors import HubError

# Exceptions whose message speaks of code or of the machine, never of what a customer wrote.
_PLAIN = (
    HubError,
    OSError,
    AttributeError,
    TypeError,
    NameError,
    ImportError,
    RuntimeError,
    NotImplementedError,
    AssertionError,
)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# As many frames as tell where a fault began; a recursion without end has thousands.
_FRAMES = 40


def set_up_logging(level: str = "info", *, as_json: bool = False) -> None:
    """Everything goes through one handler, uvicorn's lines too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else ConsoleFormatter())
    handler.addFilter(_is_ours_to_tell)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("aiohttp", "aioice", "aiortc", "alembic", "asyncio", "imapclient", "sqlalchemy", "websockets"):
        logging.getLogger(name).setLevel("WARNING")
    logging.captureWarnings(True)


def _is_ours_to_tell(record: logging.LogRecord) -> bool:
    """uvicorn writes a line for each socket with its query string: tokens and ids."""
    return not (record.name.startswith("uvicorn") and "WebSocket" in str(record.msg))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, event, logger, what belongs to it, and `fault` if there was one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **_extras(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["fault"] = describe_fault(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class ConsoleFormatter(logging.Formatter):
    """`09:00:01.123 info     request  method=GET route=/api/v1/users status=200 ms=1.4`, a fault's frames below."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        extras = " ".join(f"{name}={_quoted(value)}" for name, value in _extras(record).items())
        line = f"{at} {record.levelname.lower():<8} {record.getMessage()}  {extras}".rstrip()
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + "\n".join(f"    {part}" for part in describe_fault(record.exc_info[1]))
        return line


def describe_fault(error: BaseException) -> list[str]:
    """The chain of exceptions, the cause first: frames, then the type, with its message only if that cannot quote
    anybody."""
    return list(_describe(error, seen=set()))


def _describe(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _describe(before, seen)
    for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]:
        yield f"{frame.filename}:{frame.lineno} {frame.name}: {frame.line}"
    yield _told(error)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if id(inner) not in seen:
                yield from _describe(inner, seen)


def _told(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    # What SQLAlchemy wraps: the driver's class and SQLSTATE say enough; its message quotes the row.
    driver = getattr(error, "orig", None)
    if driver is not None:
        return f"{name} ({type(driver).__name__} {getattr(driver, 'sqlstate', None) or ''})".replace(" )", ")")
    return f"{name}: {error}" if isinstance(error, _PLAIN) else name


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "\n') else text
