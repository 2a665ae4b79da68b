"""Offer and answer of a browser's leg: one audio line, one codec, everything on one port.

Only what we need of an offer is read (ICE, the certificate's fingerprint, the payload type of our codec); any line but the
first audio is refused in the answer, as RFC 3264 wants it: with port 0, in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aioice import Candidate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.sdp import MediaDescription, SessionDescription

from hub.errors import InvalidInput
from hub.media.codec import Codec

# An offer of a browser has some 2 kB; with all the codecs of video, 8.
_LIMIT_CHARACTERS = 64_000
# How the answer turns the direction of the offer round.
_ANSWERED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True)
class Offer:
    """`lines`: (kind, profile, formats, mid) of each m-line, in order; `line` is the index of ours."""

    lines: tuple[tuple[str, str, str, str], ...]
    line: int
    payload_type: int
    direction: str
    ice_username: str
    ice_password: str
    candidates: tuple[Candidate, ...]
    dtls: RTCDtlsParameters

    @property
    def mid(self) -> str:
        return self.lines[self.line][3]


def _bad(words: str) -> InvalidInput:
    return InvalidInput(f"the offer cannot be answered: {words}", code="bad_offer", fields={"sdp": words})


def parse_offer(sdp: str, codec: Codec) -> Offer:
    """Raises InvalidInput `bad_offer` with what is wrong in words."""
    if len(sdp) > _LIMIT_CHARACTERS:
        raise _bad("it is too long")
    try:
        session = SessionDescription.parse(sdp)
    # The parser meets a stranger's text with whatever comes of it.
    except Exception as error:
        raise _bad("it is no SDP") from error
    index = next((at for at, each in enumerate(session.media) if each.kind == "audio" and each.port), None)
    if index is None:
        raise _bad("it has no audio")
    media = session.media[index]
    payload_type = next(
        (
            each.payloadType
            for each in media.rtp.codecs
            if each.mimeType.lower() == f"audio/{codec.name.lower()}" and each.clockRate == codec.clock
        ),
        None,
    )
    if payload_type is None:
        raise _bad(f"it offers no {codec.name}")
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise _bad("it has no ICE credentials")
    fingerprints = (
        [each for each in media.dtls.fingerprints if each.algorithm.lower() == "sha-256"] if media.dtls else []
    )
    if not fingerprints:
        raise _bad("it has no SHA-256 fingerprint")
    return Offer(
        lines=tuple((each.kind, each.profile, " ".join(map(str, each.fmt)), each.rtp.muxId) for each in session.media),
        line=index,
        payload_type=payload_type,
        direction=media.direction or "sendrecv",
        ice_username=media.ice.usernameFragment,
        ice_password=media.ice.password,
        candidates=tuple(_candidates(media)),
        # We are the client of DTLS: the offerer must not insist on being it, too.
        dtls=RTCDtlsParameters(fingerprints=fingerprints, role="server"),
    )


def _candidates(media: MediaDescription) -> list[Candidate]:
    """Those with an address. Names of mDNS (what browsers say instead of a private address) are left out: their owner's
    own checks reach us, and tell the address."""
    return [
        Candidate(
            foundation=each.foundation,
            component=each.component,
            transport=each.protocol,
            priority=each.priority,
            host=each.ip,
            port=each.port,
            type=each.type,
            related_address=each.relatedAddress,
            related_port=each.relatedPort,
            tcptype=each.tcpType,
        )
        for each in media.ice_candidates
        if each.component == 1 and each.protocol.lower() == "udp" and not each.ip.endswith(".local")
    ]


def answer(
    offer: Offer,
    codec: Codec,
    *,
    session_id: int,
    ssrc: int,
    ice_username: str,
    ice_password: str,
    fingerprints: Sequence[RTCDtlsFingerprint],
    candidates: Sequence[Candidate],
) -> str:
    lines = [
        "v=0",
        f"o=- {session_id} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {offer.mid}",
        "a=msid-semantic:WMS *",
    ]
    for at, (kind, profile, formats, mid) in enumerate(offer.lines):
        if at != offer.line:
            lines += [f"m={kind} 0 {profile} {formats}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=inactive"]
            continue
        number = offer.payload_type
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines += [
            f"m=audio 9 {profile} {number}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            f"a={_ANSWERED.get(offer.direction, 'sendrecv')}",
            "a=rtcp-mux",
            f"a=rtpmap:{number} {codec.name}/{codec.clock}{channels}",
            *([f"a=fmtp:{number} minptime=20;useinbandfec=1"] if codec.channels > 1 else []),
            "a=ptime:20",
            "a=maxptime:20",
            f"a=ice-ufrag:{ice_username}",
            f"a=ice-pwd:{ice_password}",
            *(f"a=fingerprint:{each.algorithm} {each.value}" for each in fingerprints if each.algorithm == "sha-256"),
            "a=setup:active",
            "a=msid:hub line",
            f"a=ssrc:{ssrc} cname:hub",
            *(f"a=candidate:{each.to_sdp()}" for each in candidates),
            "a=end-of-candidates",
        ]
    return "\r\n".join(lines) + "\r\n"
