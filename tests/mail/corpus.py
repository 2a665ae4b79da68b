"""The corpus of messages under tests/payloads/mail, and what is expected of each (make.py there says how)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).resolve().parent.parent / "payloads" / "mail"


@cache
def expectations() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads((PAYLOADS / "expected.json").read_text("utf-8"))
    return table


def names() -> list[str]:
    return sorted(expectations())


def message(name: str) -> bytes:
    return (PAYLOADS / f"{name}.eml").read_bytes()
