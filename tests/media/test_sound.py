"""The small parts: codecs, frames, the jitter buffer, the gauge of lateness, the signature, an offer."""

from __future__ import annotations

import random
from array import array

import pytest

from hub.errors import BadSignature, InvalidInput, Misconfigured
from hub.media.codec import OPUS, PCMU, Codec, codec_named, tone
from hub.media.frame import Frame, loudness, mixed, mixed_pcm
from hub.media.jitter import PREFETCH, Jitter
from hub.media.lateness import Lateness
from hub.media.sdp import parse_offer
from hub.media.signature import check_signature, sign
from tests.media.line import strength

# --- codecs and frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [OPUS, PCMU], ids=["opus", "pcmu"])
def test_a_tone_survives_the_codec(codec: Codec) -> None:
    unpack = codec.new_unpack()
    heard = array("h")
    for frame in codec.frames(tone(codec, 440, 1.0, 0.3)):
        assert frame.packet is not None
        assert codec.samples_of(frame.packet) == codec.size
        heard += unpack(frame.packet)
    assert len(heard) == codec.rate
    assert strength(heard[codec.rate // 2 :], 440, codec.rate) == pytest.approx(9830, rel=0.1)


@pytest.mark.parametrize(
    ("sample", "code"),
    # ITU-T G.711, table 2a, in 16 bits: the ends, the middle, and where the first two segments meet.
    [
        (0, 0xFF),
        (32_124, 0x80),
        (-32_124, 0x00),
        (32_767, 0x80),
        (-32_768, 0x00),
        (120, 0xF0),
        (132, 0xEF),
        (-132, 0x6F),
    ],
)
def test_samples_have_the_codes_of_the_recommendation(sample: int, code: int) -> None:
    assert PCMU.new_pack()(array("h", [sample])) == bytes([code])


def test_every_code_comes_back_as_itself() -> None:
    codes = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is a second zero
    assert PCMU.new_pack()(PCMU.new_unpack()(codes)) == codes


@pytest.mark.parametrize(
    ("packet", "samples"),
    # RFC 6716, section 3.1: configuration, and how many frames. What is no packet has none.
    [(b"", 0), (b"\xf8\xff\xfe", 960), (b"\x78", 960), (b"\x08", 960), (b"\x18", 2880), (b"\xf9", 1920),
     (b"\xfb\x03", 2880), (b"\xfb", 0), (b"\xe0", 120)],
)  # fmt: skip
def test_the_length_of_an_opus_packet_is_read_from_its_head(packet: bytes, samples: int) -> None:
    assert OPUS.samples_of(packet) == samples


def test_what_is_no_opus_is_silent() -> None:
    assert OPUS.new_unpack()(b"\xff\xff\xff\xff nothing of the kind") == array("h", bytes(1920))


def test_an_unknown_codec_is_refused_in_words() -> None:
    with pytest.raises(Misconfigured, match="opus or pcmu"):
        codec_named("g729")


def test_one_voice_is_passed_on_as_it_came() -> None:
    frame = Frame(packet=b"a packet")
    assert mixed([frame]) is frame


def test_voices_are_added_and_what_is_too_loud_is_cut_off() -> None:
    assert mixed_pcm([array("h", [1, -2]), array("h", [10, 20])]) == array("h", [11, 18])
    assert mixed_pcm([array("h", [30_000, -30_000])] * 3) == array("h", [32_767, -32_768])


def test_loudness_is_that_of_a_sine() -> None:
    assert loudness(tone(PCMU, 440, 1.0, 0.5)) == pytest.approx(32_767 * 0.5 / 2**0.5, rel=0.02)


# --- jitter --------------------------------------------------------------------------------------------------------------


def _packet(number: int) -> bytes:
    return str(number).encode()


def _play(jitter: Jitter, count: int) -> list[int | None]:
    popped = [jitter.pop() for _ in range(count)]
    return [int(each) if each is not None else None for each in popped]


def test_packets_come_out_in_their_order_and_once() -> None:
    jitter = Jitter()
    for number in (2, 1, 3, 3, 2, 5, 4):
        jitter.push(number, _packet(number))
    assert _play(jitter, 6) == [1, 2, 3, 4, 5, None]


def test_a_lost_packet_leaves_its_place_silent() -> None:
    jitter = Jitter()
    for number in (1, 2, 4, 5):
        jitter.push(number, _packet(number))
    assert _play(jitter, 5) == [1, 2, None, 4, 5]
    assert jitter.lost == 1


def test_a_packet_that_is_too_late_is_dropped() -> None:
    jitter = Jitter()
    for number in (1, 2, 4, 5):
        jitter.push(number, _packet(number))
    _play(jitter, 3)
    jitter.push(3, _packet(3))
    assert _play(jitter, 2) == [4, 5]
    assert jitter.late == 1


def test_it_waits_until_it_is_filled_again() -> None:
    jitter = Jitter()
    jitter.push(1, _packet(1))
    assert _play(jitter, 3) == [None] * 3
    jitter.push(2, _packet(2))
    assert _play(jitter, 3) == [1, 2, None]
    jitter.push(3, _packet(3))
    assert _play(jitter, 2) == [None, None]
    jitter.push(4, _packet(4))
    assert _play(jitter, 2) == [3, 4]


def test_numbers_turn_over_at_sixteen_bits() -> None:
    jitter = Jitter()
    for number in range(65_530, 65_545):
        jitter.push(number & 0xFFFF, _packet(number))
    assert _play(jitter, 15) == list(range(65_530, 65_545))


def test_a_sender_that_begins_anew_is_heard() -> None:
    jitter = Jitter()
    for number in (*range(30_000, 30_003), *range(5, 8)):
        jitter.push(number, _packet(number))
    assert [each for each in _play(jitter, 6) if each is not None] == [5, 6, 7]


def test_the_delay_does_not_grow_for_ever() -> None:
    # A sender whose clock is 1 % fast: a packet too many every two seconds, for ten minutes.
    jitter, number = Jitter(), 0
    deepest = 0
    for at in range(30_000):
        for _ in range(2 if at % 100 == 0 else 1):
            jitter.push(number & 0xFFFF, _packet(number))
            number += 1
        jitter.pop()
        deepest = max(deepest, len(jitter))
    assert deepest <= PREFETCH + 4
    assert jitter.lost == 0


def test_an_unquiet_network_loses_little() -> None:
    dice, jitter, heard = random.Random(1), Jitter(), 0
    arrivals = sorted((number * 20 + dice.uniform(0, 60), number) for number in range(3_000))
    for tick in range(3_000):
        while arrivals and arrivals[0][0] <= tick * 20:
            jitter.push(arrivals[0][1] & 0xFFFF, _packet(arrivals.pop(0)[1]))
        heard += jitter.pop() is not None
    assert heard > 2_850


def test_a_stall_of_seconds_is_not_kept() -> None:
    jitter = Jitter()
    for number in range(200):
        jitter.push(number, _packet(number))
    assert len(jitter) == 25
    assert _play(jitter, 1) == [175]


# --- lateness ----------------------------------------------------------------------------------------------------------


def test_lateness_is_that_of_the_worst_but_one_in_a_hundred() -> None:
    gauge = Lateness()
    for at in range(500):
        gauge.add(0.050 if at % 100 == 0 else 0.001)
    assert gauge.p99_s == 0.001
    gauge.add(0.050)
    gauge.add(0.050)
    assert gauge.p99_s == 0.050


def test_one_stall_does_not_close_the_line_and_a_slow_machine_does() -> None:
    gauge = Lateness()
    for at in range(1_500):
        gauge.add(0.2 if at < 10 else 0.001)
    assert not gauge.is_too_late
    for _ in range(20):
        gauge.add(0.06)
    assert gauge.is_too_late


# --- signature ---------------------------------------------------------------------------------------------------------

_SIGNED = {"method": "POST", "path": "/legs/x/scene", "body": b"{}"}


def _check(now: float = 1000, **changed: object) -> None:
    signature = sign(b"key", 1000, "POST", "/legs/x/scene", b"{}")
    check_signature(b"key", now, **{"signature": signature, "timestamp": "1000", **_SIGNED, **changed})  # type: ignore[arg-type]


def test_what_was_signed_is_taken() -> None:
    _check()
    _check(now=1299)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"path": "/legs/y/scene"},
        {"body": b"{} "},
        {"timestamp": "1001"},
        {"timestamp": ""},
        {"timestamp": "１０００"},
        {"signature": ""},
        {"signature": "ü" * 64},
        {"now": 1301},
        {"now": 600},
    ],
    ids=str,
)
def test_anything_else_is_not(changed: dict[str, object]) -> None:
    with pytest.raises(BadSignature):
        _check(**changed)  # type: ignore[arg-type]


# --- offers --------------------------------------------------------------------------------------------------------------

_OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 96
a=mid:1
a=rtpmap:96 VP8/90000
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:11
a=setup:actpass
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtpmap:0 PCMU/8000
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:11
a=setup:actpass
a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host
a=candidate:2 1 udp 2122260223 6a1d7b9e-0000-4000-8000-000000000000.local 50001 typ host
a=candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active
"""


def test_of_an_offer_the_audio_and_the_addresses_are_read() -> None:
    offer = parse_offer(_OFFER.replace("\n", "\r\n"), OPUS)
    assert (offer.line, offer.mid, offer.payload_type, offer.direction) == (1, "0", 111, "sendrecv")
    assert [(each.host, each.port) for each in offer.candidates] == [("192.0.2.7", 50_000)]
    assert parse_offer(_OFFER, PCMU).payload_type == 0


@pytest.mark.parametrize(
    ("sdp", "words"),
    [
        ("", "no audio"),
        ("hello", "no"),
        ("v=0\r\nm=audio x y z\r\n", "no"),
        (_OFFER.replace("m=audio 9", "m=audio 0"), "no audio"),
        (_OFFER.replace("opus/48000/2", "opus/8000/2"), "no opus"),
        (_OFFER.replace("a=ice-pwd:0123456789012345678901\n", ""), "ICE credentials"),
        (_OFFER.replace("sha-256", "sha-1"), "fingerprint"),
        (_OFFER + "a=x:" + "y" * 70_000, "too long"),
    ],
    ids=range(8),
)
def test_an_offer_that_cannot_be_answered_says_why(sdp: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        parse_offer(sdp, OPUS)
    assert refused.value.code == "bad_offer"
