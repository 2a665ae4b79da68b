"""What a leg hears when it is not in a talk: one small play for each scene of hub.channels.voice.

A play is an iterator that yields the frame for each 20 ms. It reads keys and the party's own sound from its stage, and tells
through it what happened. It never ends by itself: after its last word it is silent until the hub sends another scene, and
it is closed then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from hub.channels import voice
from hub.media.frame import FRAMES_PER_S, Frame, loudness

Sound = tuple[Frame, ...]

# Root mean square below which nobody speaks: 45 dB under the loudest there is; browsers' noise suppression stays below.
QUIET = 180.0
# Of the silence before the first word of a message, so much is kept.
_LEAD_FRAMES = 15
# How long the busy tone is heard before the leg ends.
_BUSY_FRAMES = 3 * FRAMES_PER_S


class SoundTask(Protocol):
    """A sound that may still be on its way: an asyncio.Task, or anything like it. One that failed is an empty sound."""

    def done(self) -> bool: ...

    def result(self) -> Sound: ...


class MessageFile(Protocol):
    """Where a voicemail goes."""

    @property
    def frames(self) -> int: ...

    def write(self, left: Frame | None, right: Frame | None) -> None: ...


class Stage(Protocol):
    """What a play has at hand. `keys`: pressed and not looked at yet. `heard`: what the party said in these 20 ms.
    `prompt_due`: in how many frames a waiting leg's prompts are said (again). `tell` sends a webhook of this leg."""

    keys: deque[str]
    heard: Frame | None
    prompt_due: float

    @property
    def silence(self) -> Frame: ...

    def load(self, prompts: Sequence[voice.Prompt]) -> list[SoundTask]: ...

    def music(self) -> Frame: ...

    def tone(self, name: str) -> Sound: ...

    def tell(self, kind: str, **more: object) -> None: ...

    def end(self) -> None: ...

    def new_message(self) -> MessageFile: ...

    def message_left(self, message: MessageFile | None) -> None: ...


Play = Generator[Frame, None, None]


def play(scene: voice.Scene, stage: Stage) -> Play | None:
    """The play of a scene; None for Talk, which is the mixer's."""
    maker: Callable[..., Play] | None = _PLAYS.get(scene.kind)
    return maker(scene, stage) if maker is not None else None


def _said(stage: Stage, prompts: Sequence[voice.Prompt], meanwhile: Callable[[], Frame] | None = None) -> Play:
    """One prompt after the other; silence (or `meanwhile`) until a sound is there."""
    for task in stage.load(prompts):
        while not task.done():
            yield stage.silence if meanwhile is None else meanwhile()
        yield from task.result()


def _nothing(stage: Stage) -> Play:
    while True:
        yield stage.silence


def _say(scene: voice.Say, stage: Stage) -> Play:
    yield from _said(stage, scene.prompts)
    if scene.then_hang_up:
        stage.end()
    else:
        stage.tell("scene_ended")
    yield from _nothing(stage)


def _menu(scene: voice.Menu, stage: Stage) -> Play:
    key = yield from _first_key(stage, scene)
    stage.tell("chosen", key=key if key in scene.keys else None)
    yield from _nothing(stage)


def _first_key(stage: Stage, scene: voice.Menu) -> Generator[Frame, None, str | None]:
    """Returns the first key, None when none came in time."""
    for frame in _said(stage, scene.prompts):
        if stage.keys:
            return stage.keys.popleft()
        yield frame
    for _ in range(scene.timeout_s * FRAMES_PER_S):
        if stage.keys:
            return stage.keys.popleft()
        yield stage.silence
    return None


def _wait(scene: voice.Wait, stage: Stage) -> Play:
    for frame in _announced(scene, stage):
        while stage.keys:
            key = stage.keys.popleft()
            if key in scene.keys:
                stage.tell("chosen", key=key)
        yield frame


def _announced(scene: voice.Wait, stage: Stage) -> Play:
    while True:
        if scene.prompts and stage.prompt_due <= 0:
            yield from _said(stage, scene.prompts, meanwhile=stage.music)
            stage.prompt_due = scene.every_s * FRAMES_PER_S if scene.every_s else float("inf")
        stage.prompt_due -= 1
        yield stage.music()


def _hold(scene: voice.Hold, stage: Stage) -> Play:
    yield from _said(stage, scene.prompts)
    while True:
        yield stage.music()


def _ringback(scene: voice.Ringback, stage: Stage) -> Play:
    while True:
        yield from stage.tone("ringback")


def _voicemail(scene: voice.Voicemail, stage: Stage) -> Play:
    yield from _said(stage, scene.prompts)
    message: MessageFile | None = None
    try:
        yield from stage.tone("beep")
        stage.keys.clear()
        silent: list[Frame | None] = []
        for _ in range(scene.limit_s * FRAMES_PER_S):
            if "#" in stage.keys or len(silent) >= scene.silence_s * FRAMES_PER_S:
                break
            heard = stage.heard
            if heard is None or loudness(heard.pcm) < QUIET:
                silent.append(heard)
            else:
                if message is None:
                    message = stage.new_message()
                    del silent[:-_LEAD_FRAMES]
                for each in (*silent, heard):
                    message.write(each, None)
                silent.clear()
            yield stage.silence
    finally:
        # Also of a caller who hung up in the middle of a word, as most do.
        stage.message_left(message)
    stage.keys.clear()
    yield from _nothing(stage)


def _over(scene: voice.Over, stage: Stage) -> Play:
    if scene.is_busy:
        busy = stage.tone("busy")
        for at in range(_BUSY_FRAMES):
            yield busy[at % len(busy)]
    stage.end()
    yield from _nothing(stage)


_PLAYS: dict[str, Callable[..., Play]] = {
    "say": _say,
    "menu": _menu,
    "wait": _wait,
    "hold": _hold,
    "voicemail": _voicemail,
    "ringback": _ringback,
    "over": _over,
}
