"""The two codecs of the hub's own line. A process speaks one of them with all its legs, so that nothing is resampled and a
packet can be passed on as it is.

    opus   48 kHz, some 32 kbit/s a direction: sounds like being in the room; what browsers choose themselves
    pcmu   8 kHz, 64 kbit/s: the telephone's own sound; costs less time, so a core carries more mixed calls

Every browser has both (RFC 7874, section 3).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat

import av

from hub.domain.sentences import Sentence
from hub.errors import Misconfigured
from hub.media.frame import FRAMES_PER_S, Frame

Unpack = Callable[[bytes], "array[int]"]
Pack = Callable[["array[int]"], bytes]

# Enough for speech in wide band (RFC 6716, section 2.1.1: 16 to 20 kbit/s), with something left for music on hold.
_OPUS_BITS_S = 28_000
# libopus' effort, 0 to 10. One mixed leg costs 44 µs a frame at 0, 91 at 5 and 108 at 10 (measured 2026-11 on the machine
# of docs/performance.md); only sounds that were mixed here are packed at all.
_OPUS_EFFORT = 3


@dataclass(frozen=True)
class Codec:
    """`name`, `clock` and `channels` as in SDP; `rate` of the samples; `size`: samples in a frame."""

    name: str
    clock: int
    channels: int
    rate: int
    new_unpack: Callable[[], Unpack]
    new_pack: Callable[[], Pack]
    samples_of: Callable[[bytes], int]

    @property
    def size(self) -> int:
        return self.rate // FRAMES_PER_S

    def silence(self) -> Frame:
        pcm = array("h", bytes(2 * self.size))
        pack = self.new_pack()
        # The first packets of an encoder hold its start; what follows is what it says of silence.
        for _ in range(3):
            pack(pcm)
        return Frame(pcm, pack(pcm))

    def frames(self, pcm: array[int]) -> tuple[Frame, ...]:
        """A sound cut into packed frames; the last is filled up with silence."""
        pack = self.new_pack()
        short = -len(pcm) % self.size
        whole = pcm + array("h", bytes(2 * short)) if short else pcm
        cuts = (whole[start : start + self.size] for start in range(0, len(whole), self.size))
        return tuple(Frame(cut, pack(cut)) for cut in cuts)


# --- G.711 µ-law ---------------------------------------------------------------------------------------------------------


def _mu_law_value(code: int) -> int:
    """ITU-T G.711, table 2a: sign, 3 bits of exponent, 4 of mantissa, all inverted; in 16 bits."""
    code = ~code & 0xFF
    value = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 0x07)) - 0x84
    return -value if code & 0x80 else value


def _mu_law_code(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    biased = min(abs(sample), 32_635) + 0x84
    exponent = biased.bit_length() - 8
    return ~(sign | exponent << 4 | biased >> exponent + 3 & 0x0F) & 0xFF


_MU_LAW_VALUES = [_mu_law_value(code) for code in range(256)]
# Indexed by the sample itself: Python counts negative ones from the end.
_MU_LAW_CODES = bytes(_mu_law_code(sample) for sample in (*range(32_768), *range(-32_768, 0)))


def _unpack_pcmu(packet: bytes) -> array[int]:
    return array("h", map(_MU_LAW_VALUES.__getitem__, packet))


def _pack_pcmu(pcm: array[int]) -> bytes:
    return bytes(map(_MU_LAW_CODES.__getitem__, pcm))


# --- Opus ----------------------------------------------------------------------------------------------------------------

_OPUS_RATE = 48_000
# RFC 6716, table 2: samples at 48 kHz of one frame, by the first five bits of a packet.
_OPUS_FRAME = (
    *(480, 960, 1920, 2880) * 3,
    *(480, 960) * 2,
    *(120, 240, 480, 960) * 4,
)


def _samples_of_opus(packet: bytes) -> int:
    """0 of what is no packet."""
    if not packet:
        return 0
    frame, how = _OPUS_FRAME[packet[0] >> 3], packet[0] & 3
    if how == 3:
        return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return frame * (1, 2, 2)[how]


def _new_unpack_opus() -> Unpack:
    context = av.CodecContext.create("libopus", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.format = "s16"
    context.layout = "mono"
    context.sample_rate = _OPUS_RATE

    def unpack(packet: bytes) -> array[int]:
        pcm = array("h")
        try:
            for frame in context.decode(av.Packet(packet)):
                pcm.frombytes(bytes(frame.planes[0])[: 2 * frame.samples])
        except av.FFmpegError:
            pass  # a packet that is none: its 20 ms are silent
        short = _OPUS_RATE // FRAMES_PER_S - len(pcm)
        if short > 0:
            pcm.extend(repeat(0, short))
        return pcm

    return unpack


def _new_pack_opus() -> Pack:
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.format = "s16"
    context.layout = "mono"
    context.sample_rate = _OPUS_RATE
    context.bit_rate = _OPUS_BITS_S
    context.time_base = Fraction(1, _OPUS_RATE)
    context.options = {"application": "voip", "compression_level": str(_OPUS_EFFORT), "frame_duration": "20"}
    at = 0

    def pack(pcm: array[int]) -> bytes:
        nonlocal at
        frame = av.AudioFrame("s16", "mono", len(pcm))
        frame.sample_rate = _OPUS_RATE
        frame.time_base = context.time_base
        frame.pts = at
        at += len(pcm)
        plane = frame.planes[0]
        plane.update(pcm.tobytes().ljust(plane.buffer_size, b"\0"))
        return b"".join(map(bytes, context.encode(frame)))

    return pack


OPUS = Codec("opus", 48_000, 2, _OPUS_RATE, _new_unpack_opus, _new_pack_opus, _samples_of_opus)
PCMU = Codec("PCMU", 8_000, 1, 8_000, lambda: _unpack_pcmu, lambda: _pack_pcmu, len)

CODECS = {"opus": OPUS, "pcmu": PCMU}


def codec_named(name: str) -> Codec:
    if name not in CODECS:
        raise Misconfigured(
            f"there is no codec {name!r}: HUB_MEDIA_CODEC is opus or pcmu",
            fields={"HUB_MEDIA_CODEC": Sentence("is not one")},
        )
    return CODECS[name]


def tone(codec: Codec, hertz: float, seconds: float, level: float = 0.2) -> array[int]:
    """A sine, faded in and out over 5 ms so that it does not click. `level`: of the loudest there is."""
    count, fade = round(codec.rate * seconds), codec.rate // 200
    turn = 2 * math.pi * hertz / codec.rate
    return array(
        "h",
        (
            round(32_767 * level * min(1.0, (at + 1) / fade, (count - at) / fade) * math.sin(turn * at))
            for at in range(count)
        ),
    )


def pause(codec: Codec, seconds: float) -> array[int]:
    return array("h", bytes(2 * round(codec.rate * seconds)))
