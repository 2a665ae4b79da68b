"""What a caller hears before the queue: for now every line leads straight to its queue. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spoken:
    text: str = ""
    language: str = "en"
    sound_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    node: str
    tries: int = 0
    language: str = "en"
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskStep:
    place: Place
    said: tuple[Spoken, ...]
    keys: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    timeout_s: int


@dataclass(frozen=True, slots=True)
class TellStep:
    place: Place
    said: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class QueueStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int
    after_s: int | None = None


@dataclass(frozen=True, slots=True)
class VoicemailStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int | None
    limit_s: int


@dataclass(frozen=True, slots=True)
class CallbackStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int | None


@dataclass(frozen=True, slots=True)
class NumberStep:
    place: Place
    said: tuple[Spoken, ...]
    number: str
    ring_s: int


@dataclass(frozen=True, slots=True)
class HangUpStep:
    place: Place
    said: tuple[Spoken, ...]


Step = AskStep | TellStep | QueueStep | VoicemailStep | CallbackStep | NumberStep | HangUpStep


@dataclass(frozen=True, slots=True)
class World:
    is_open: Callable[[int], bool]
    has_number: bool
    language: str


@dataclass(frozen=True, slots=True)
class Flow:
    queue_id: int
    language: str


def simple(queue_id: int, language: str) -> Flow:
    return Flow(queue_id, language)


def begin(flow: Flow, world: World) -> Step:
    return QueueStep(Place("q", language=flow.language), (), flow.queue_id)


def answer(flow: Flow, place: Place, key: str | None, world: World) -> Step:
    return begin(flow, world)


def finished(flow: Flow, place: Place, world: World) -> Step:
    return begin(flow, world)


def waited(flow: Flow, place: Place, world: World) -> Step:
    return begin(flow, world)


def failed(flow: Flow, place: Place, world: World) -> Step:
    return begin(flow, world)


def write_place(place: Place) -> dict[str, Any]:
    chosen = list(place.chosen)
    return {"node": place.node, "tries": place.tries, "language": place.language, "chosen": chosen}


def read_place(d: Any) -> Place:
    return Place(d["node"], d["tries"], d["language"], tuple(d["chosen"]))
