"""The shipped recordings of the hub's own phrases (hub.calls.phrases), for lines that cannot speak a language themselves.

Which there are can be asked on any machine; to read one takes the extra `voice`.
"""

from __future__ import annotations

import importlib.util
import re
import struct
from functools import lru_cache
from pathlib import Path

_OWN = Path(__file__).resolve().parent / "phrases"
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


@lru_cache(maxsize=1)
def can_be_read() -> bool:
    """Whether this machine can turn them into samples."""
    return importlib.util.find_spec("av") is not None


@lru_cache(maxsize=1_024)
def is_recorded(language: str, name: str) -> bool:
    """`language`: two or three letters; `name`: Prompt.phrase, with its number."""
    return bool(_LANGUAGE.fullmatch(language) and _NAME.fullmatch(name)) and _path(language, name).is_file()


@lru_cache(maxsize=64)
def samples(language: str, name: str, rate_hz: int) -> bytes:
    """16 bits, little endian, one channel. LookupError when there is no such recording. Blocks for some milliseconds."""
    if not is_recorded(language, name) or not can_be_read():
        raise LookupError(f"{language}/{name} is not recorded")
    from hub.media.ogg import read_sound

    pcm = read_sound(_path(language, name).read_bytes(), rate_hz)
    return struct.pack(f"<{len(pcm)}h", *pcm)


def _path(language: str, name: str) -> Path:
    return _OWN / language / f"{name}.ogg"
