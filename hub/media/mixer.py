"""The tick: every 20 ms each party's sound is taken, and each is given what they are to hear.

    in a talk   the sum of all others of the room who talk; a whisperer is heard by the one they coach alone, who listens or
                is muted by nobody. One voice alone is passed on as it came, packed.
    else        their scene (hub.media.scenes)

A room's recording gets the customer on the left and everybody else who talks on the right. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hub.channels import voice
from hub.domain.calls import Party, Presence
from hub.media.frame import Frame, mixed
from hub.media.leg import Leg
from hub.media.scenes import Play


class Tape(Protocol):
    """A recording that runs."""

    def write(self, left: Frame | None, right: Frame | None) -> None: ...


class Voice(Protocol):
    """A party as the mixer sees it. `coached` is the token of the one who hears this party whisper."""

    token: str
    leg: Leg | None
    heard: Frame | None
    play: Play | None

    @property
    def party(self) -> Party: ...

    @property
    def scene(self) -> voice.Scene: ...

    @property
    def coached(self) -> str | None: ...


@dataclass
class Room:
    """`tape`: where the talk is recorded, None while it is not."""

    name: str
    parties: list[Voice] = field(default_factory=list)
    tape: Tape | None = None


def in_talk(party: Voice) -> bool:
    return isinstance(party.scene, voice.Talk)


def _talks(party: Voice) -> bool:
    scene = party.scene
    return isinstance(scene, voice.Talk) and scene.presence is Presence.TALK and not scene.muted


def _whispers_to(party: Voice, token: str) -> bool:
    scene = party.scene
    return (
        isinstance(scene, voice.Talk)
        and scene.presence is Presence.WHISPER
        and not scene.muted
        and party.coached == token
    )


def tick(
    parties: Sequence[Voice],
    rooms: Iterable[Room],
    silence: Frame,
    failed: Callable[[Voice, Exception], None],
) -> None:
    """`failed` is told of a party whose sound could not be taken, made or given; the others go on."""
    connected = [party for party in parties if party.leg is not None and party.leg.is_connected]
    for party in connected:
        assert party.leg is not None
        try:
            party.heard = party.leg.take()
        except Exception as error:
            failed(party, error)
    for room in rooms:
        for party, frame in _mix(room, silence):
            _give(party, frame, failed)
    for party in connected:
        if party.play is not None:
            try:
                frame = next(party.play)
            except Exception as error:
                failed(party, error)
            else:
                _give(party, frame, failed)
    for party in connected:
        party.heard = None


def _give(party: Voice, frame: Frame | None, failed: Callable[[Voice, Exception], None]) -> None:
    assert party.leg is not None
    try:
        party.leg.give(frame)
    except Exception as error:
        failed(party, error)


def _mix(room: Room, silence: Frame) -> Iterator[tuple[Voice, Frame | None]]:
    here = [party for party in room.parties if in_talk(party) and party.leg is not None and party.leg.is_connected]
    if not here:
        return
    talkers = [party for party in here if _talks(party)]
    # In a conference those who do not talk themselves hear the same sum.
    sums: dict[tuple[str, ...], Frame | None] = {}
    for party in here:
        sources = [
            other for other in here if other is not party and (other in talkers or _whispers_to(other, party.token))
        ]
        if not sources:
            yield party, silence
            continue
        key = tuple(source.token for source in sources)
        if key not in sums:
            sums[key] = _sum(sources)
        yield party, sums[key]
    if room.tape is not None:
        room.tape.write(
            _sum([party for party in talkers if party.party is Party.CUSTOMER]),
            _sum([party for party in talkers if party.party is not Party.CUSTOMER]),
        )


def _sum(sources: Sequence[Voice]) -> Frame | None:
    heard = [source.heard for source in sources if source.heard is not None]
    return mixed(heard) if heard else None
