"""The house's order, read from the source: who may import whom, what pure code may know, how files are named.

    root → edge → work → adapters → store → media → formats → pure

Each layer may import itself and those after it, never those before; an import inside a function or under TYPE_CHECKING
is an import like any other. There is no list of exceptions.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HUB = ROOT / "hub"

ORDER = ("root", "edge", "work", "adapters", "store", "media", "formats", "pure")

# The first prefix that fits says the layer; a module that none of them fits has no place in the house yet.
LAYERS: tuple[tuple[str, str], ...] = (
    ("hub.domain", "pure"),
    ("hub.errors", "pure"),
    ("hub.channels.channel", "pure"),
    ("hub.channels.voice", "pure"),
    ("hub.calls.flow", "pure"),
    ("hub.calls.phrases", "pure"),
    ("hub.routing.engine", "pure"),
    ("hub.routing.escalation", "pure"),
    ("hub.routing.calendar", "pure"),
    ("hub.routing.rules", "pure"),
    ("hub.routing.requirements", "pure"),
    ("hub.routing.spoken_times", "pure"),
    ("hub.routing.waiting", "pure"),
    ("hub.kpi.measures", "pure"),
    ("hub.mail", "formats"),
    ("hub.media.codec", "formats"),
    ("hub.media.frame", "formats"),
    ("hub.media.jitter", "formats"),
    ("hub.media.lateness", "formats"),
    ("hub.media.leg", "formats"),
    ("hub.media.mixer", "formats"),
    ("hub.media.ogg", "formats"),
    ("hub.media.scenes", "formats"),
    ("hub.media.sdp", "formats"),
    ("hub.media.signature", "formats"),
    ("hub.media.hold_music", "formats"),
    ("hub.media.phrase_files", "formats"),
