"""A browser's leg: ICE, DTLS and SRTP of one connection, and the 20 ms in and out that the mixer wants.

    Offer → Peer.open → answer ─┬─ ICE (aioice) → DTLS (aiortc) → on_connected
                                └─ nothing within CONNECT_S      → on_ended(failed)
    packet in   datagram → SRTP → jitter buffer → take()
    packet out  give() → SRTP → datagram

aiortc's own peer connection is left out: it carries a packet through several tasks, a queue and a thread of its own, which
costs four fifths of what a core can do. Here a packet is unprotected where it arrives and protected where it leaves, in the
mixer's tick. That uses names of aiortc and aioice that are private; both are pinned in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import socket
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import aioice
import ifaddr
import pylibsrtp
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aiortc import rtp
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport

from hub.domain.calls import LegEnd
from hub.errors import Overloaded
from hub.media.codec import Codec, Pack
from hub.media.frame import FRAMES_PER_S, Frame
from hub.media.jitter import Jitter
from hub.media.sdp import Offer, answer

log = logging.getLogger(__name__)

# A browser behind a slow relay needs some seconds; whoever waits longer has hung up.
CONNECT_S = 15.0
# No packet of any kind: browsers send 50 a second of sound, and ask whether we are still there every 2.5 s.
LOST_S = 5.0
# How often we tell the other end what we sent and what came (RFC 3550, section 6.2: five seconds).
_REPORT_EVERY = 5 * FRAMES_PER_S
_NTP_EPOCH_S = 2_208_988_800
_BUFFER_BYTES = 256 * 1024
_RETRY_S = 5.0


@dataclass(frozen=True)
class Addresses:
    """Where a process takes packets. `hosts`: addresses of this machine, all of them and 127.0.0.1 when empty. `ports`: the
    range of UDP ports, both ends included; any free one when None. `public`: the address by which the world sees this
    machine, where a router translates it one to one."""

    hosts: tuple[str, ...] = ()
    ports: tuple[int, int] | None = None
    public: str = ""

    def own(self) -> list[str]:
        if self.hosts:
            return list(self.hosts)
        found = ["127.0.0.1"]
        for adapter in ifaddr.get_adapters():
            for each in adapter.ips:
                if isinstance(each.ip, str):
                    if not ip_address(each.ip).is_loopback:
                        found.append(each.ip)
                # Scope 0: link-local addresses need an interface, which a candidate cannot name.
                elif each.ip[2] == 0 and not ip_address(each.ip[0]).is_loopback:
                    found.append(each.ip[0])
        return found


class Ice(aioice.Connection):
    """ICE on our own choice of addresses and ports; sound goes to `on_sound`, everything else to whoever receives."""

    def __init__(self, addresses: Addresses, on_sound: Callable[[bytes], None]) -> None:
        super().__init__(ice_controlling=False)
        self._addresses = addresses
        self._on_sound = on_sound
        self.heard_at = time.monotonic()

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        candidates = []
        for host in self._addresses.own():
            protocol = await self._bind(host)
            if protocol is None:
                continue
            bound, port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", bound),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=bound,
                port=port,
                type="host",
            )
            self._protocols.append(protocol)
            candidates.append(protocol.local_candidate)
        return candidates

    async def _bind(self, host: str) -> StunProtocol | None:
        loop = asyncio.get_running_loop()
        for port in self._ports():
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self), local_addr=(host, port)
                )
            except OSError:
                continue  # taken, or an address that has gone
            sock = transport.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    # A stall of the event loop must not lose what arrived meanwhile.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            return protocol
        log.warning("media.no_port", extra={"host": host})
        return None

    def _ports(self) -> Sequence[int]:
        if self._addresses.ports is None:
            return (0,)
        first, last = self._addresses.ports
        return random.sample(range(first, last + 1), last - first + 1)

    def request_received(self, message: Any, addr: tuple[str, int], protocol: StunProtocol) -> None:
        self.heard_at = time.monotonic()
        super().request_received(message, addr, protocol)

    def data_received(self, data: bytes, component: int) -> None:
        # RFC 7983: 128 to 191 is RTP or RTCP, 20 to 63 DTLS; anything else is a stranger's, and is not kept.
        if data and 127 < data[0] < 192:
            self._on_sound(data)
        elif data and 19 < data[0] < 64:
            super().data_received(data, component)

    def send_now(self, data: bytes) -> None:
        pair = self._nominated.get(1)
        if pair is not None and not pair.protocol.transport.is_closing():
            pair.protocol.transport.sendto(data, pair.remote_addr)

    # What RTCDtlsTransport asks of an RTCIceTransport.

    role = "controlled"

    async def _recv(self) -> bytes:
        return await self.recv()

    async def _send(self, data: bytes) -> None:
        await self.send(data)


@dataclass
class _Arrivals:
    """What a receiver report tells (RFC 3550, section 6.4.1 and appendix A.8)."""

    rate: int
    ssrc: int = 0
    first: int = 0
    highest: int = 0
    received: int = 0
    jitter: float = 0.0
    transit: float | None = None
    before: tuple[int, int] = (0, 0)
    sender_report: int = 0
    sender_report_at: float = 0.0

    def add(self, sequence: int, timestamp: int, now: float) -> None:
        if self.received == 0:
            self.first = self.highest = sequence
        self.highest = max(self.highest, self.highest + ((sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000))
        self.received += 1
        transit = now * self.rate - timestamp
        if self.transit is not None and abs(transit - self.transit) < self.rate:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
        self.transit = transit

    def report(self, now: float) -> rtp.RtcpReceiverInfo:
        expected = self.highest - self.first + 1
        new, new_received = expected - self.before[0], self.received - self.before[1]
        self.before = (expected, self.received)
        lost = max(0, new - new_received)
        return rtp.RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=min(255, (lost << 8) // new) if new > 0 else 0,
            packets_lost=max(0, min(0x7FFFFF, expected - self.received)),
            highest_sequence=self.highest & 0xFFFFFFFF,
            jitter=int(self.jitter),
            lsr=self.sender_report,
            dlsr=min(0xFFFFFFFF, int((now - self.sender_report_at) * 65_536)) if self.sender_report else 0,
        )


@dataclass
class Peer:
    """A Leg (hub.media.leg). `on_connected` and `on_ended` are called once each, from the event loop; `on_ended` not after
    `close`. `on_ended(hung_up)`: the page closed its connection; whether a person meant it, the owner must know."""

    codec: Codec
    addresses: Addresses
    on_connected: Callable[[], None]
    on_ended: Callable[[LegEnd], None]
    is_connected: bool = False
    _ice: Ice = field(init=False)
    _dtls: RTCDtlsTransport = field(init=False)
    _jitter: Jitter = field(default_factory=Jitter)
    _task: asyncio.Task[None] | None = None
    _is_over: bool = False

    def __post_init__(self) -> None:
        self._ice = Ice(self.addresses, self._sound)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = RTCDtlsTransport(self._ice, [self._certificate])  # type: ignore[arg-type]
        self._dtls.on("statechange", self._dtls_changed)
        self._unpack = self.codec.new_unpack()
        self._pack: Pack | None = None
        self._said: array[int] = array("h")
        self._arrivals = _Arrivals(self.codec.clock)
        # The lower half, so that SRTP's roll-over counter is not guessed wrong in the first second (RFC 3711, 3.3.1).
        self._sequence = secrets.randbelow(0x8000)
        self._timestamp = secrets.randbits(32)
        self._ssrc = secrets.randbits(32)
        self._payload_type = 0
        self._sent = self._sent_bytes = 0
        self._ticks = random.randrange(_REPORT_EVERY)

    async def open(self, offer: Offer) -> str:
        """The answer; the connection is made afterwards. Raises Overloaded `all_busy` when no port is free."""
        self._payload_type = offer.payload_type
        self._ice.remote_username = offer.ice_username
        self._ice.remote_password = offer.ice_password
        await self._ice.gather_candidates()
        if not self._ice.local_candidates:
            error = Overloaded("no UDP port of this machine is free", retry_after_s=_RETRY_S)
            error.code = "all_busy"
            raise error
        for candidate in offer.candidates:
            await self._ice.add_remote_candidate(candidate)
        # The end of candidates is never told: a browser whose own are hidden is known by its checks.
        self._task = asyncio.create_task(self._connect(offer.dtls), name="media peer")
        candidates = self._ice.local_candidates
        return answer(
            offer,
            self.codec,
            session_id=secrets.randbits(62),
            ssrc=self._ssrc,
            ice_username=self._ice.local_username,
            ice_password=self._ice.local_password,
            fingerprints=self._certificate.getFingerprints(),
            candidates=[*candidates, *self._seen_from_outside(candidates)],
        )

    def _seen_from_outside(self, candidates: Sequence[aioice.Candidate]) -> list[aioice.Candidate]:
        if not self.addresses.public:
            return []
        version = ip_address(self.addresses.public).version
        return [
            aioice.Candidate(
                foundation=candidate_foundation("host", "udp", self.addresses.public),
                component=1,
                transport="udp",
                priority=each.priority - 1,
                host=self.addresses.public,
                port=each.port,
                type="host",
            )
            for each in candidates
            if ip_address(each.host).version == version and not ip_address(each.host).is_loopback
        ]

    async def _connect(self, dtls: Any) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._ice.connect()
                self._dtls._set_role("client")
                await self._dtls.start(dtls)
        except (TimeoutError, ConnectionError):
            self._end(LegEnd.FAILED)
            return
        except Exception as error:
            # Whatever a stranger's packets made of the libraries: this leg is over, the others are not.
            log.error("media.handshake_failed", exc_info=error)
            self._end(LegEnd.FAILED)
            return
        if self._dtls.state != "connected":
            self._end(LegEnd.FAILED)
            return
        self._ice.heard_at = time.monotonic()
        self.is_connected = True
        self.on_connected()

    def _dtls_changed(self) -> None:
        if self._dtls.state == "closed":
            # The other end said goodbye (close_notify); silence is found out by take().
            self._end(LegEnd.HUNG_UP)

    def _end(self, end: LegEnd) -> None:
        self.is_connected = False
        if not self._is_over:
            self._is_over = True
            self.on_ended(end)

    # --- packets

    def _sound(self, data: bytes) -> None:
        session: pylibsrtp.Session | None = self._dtls._rx_srtp  # None until the handshake
        if session is None or len(data) < 12:
            return
        try:
            if 191 < data[1] < 224:  # RFC 5761, section 4
                self._control(session.unprotect_rtcp(data))
                self._ice.heard_at = time.monotonic()
                return
            data = session.unprotect(data)
        except pylibsrtp.Error:
            return
        self._ice.heard_at = time.monotonic()
        first, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        if kind & 0x7F != self._payload_type:
            return
        start = 12 + 4 * (first & 0x0F)
        end = len(data)
        if first & 0x10:
            if start + 4 > end:
                return
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
        if first & 0x20:
            end -= data[-1]
        if ssrc != self._arrivals.ssrc:
            self._arrivals = _Arrivals(self.codec.clock, ssrc)
            self._jitter = Jitter()
        self._arrivals.add(sequence, timestamp, time.monotonic())
        if start < end:
            self._jitter.push(sequence, data[start:end])

    def _control(self, data: bytes) -> None:
        try:
            packets = rtp.RtcpPacket.parse(data)
        except ValueError:
            return
        for packet in packets:
            if isinstance(packet, rtp.RtcpSrPacket):
                self._arrivals.sender_report = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
                self._arrivals.sender_report_at = time.monotonic()

    def take(self) -> Frame | None:
        if not self.is_connected:
            return None
        if time.monotonic() - self._ice.heard_at > LOST_S:
            self._end(LegEnd.LOST)
            return None
        size = self.codec.size
        while len(self._said) < size:
            packet = self._jitter.pop()
            if packet is None:
                return None
            if not self._said and self.codec.samples_of(packet) == size:
                return Frame(packet=packet, unpack=self._unpack)
            # Of another length than ours: cut anew.
            self._said += self._unpack(packet)
        cut, self._said = self._said[:size], self._said[size : 10 * size]
        return Frame(cut)

    def give(self, frame: Frame | None) -> None:
        session: pylibsrtp.Session | None = self._dtls._tx_srtp
        if not self.is_connected or session is None:
            return
        self._timestamp = self._timestamp + self.codec.clock // FRAMES_PER_S & 0xFFFFFFFF
        self._sequence = self._sequence + 1 & 0xFFFF
        self._ticks += 1
        if self._ticks % _REPORT_EVERY == 0:
            self._report(session)
        if frame is None:
            return
        packet = frame.packet
        if packet is None:
            if self._pack is None:
                self._pack = self.codec.new_pack()
            packet = self._pack(frame.pcm)
        head = struct.pack("!BBHII", 0x80, self._payload_type, self._sequence, self._timestamp, self._ssrc)
        self._ice.send_now(session.protect(head + packet))
        self._sent += 1
        self._sent_bytes += len(packet)

    def _report(self, session: pylibsrtp.Session) -> None:
        now = time.time()
        whole = int(now)
        ntp = (whole + _NTP_EPOCH_S << 32) + int((now - whole) * (1 << 32))
        report = rtp.RtcpSrPacket(
            ssrc=self._ssrc,
            sender_info=rtp.RtcpSenderInfo(
                ntp_timestamp=ntp,
                rtp_timestamp=self._timestamp,
                packet_count=self._sent & 0xFFFFFFFF,
                octet_count=self._sent_bytes & 0xFFFFFFFF,
            ),
            reports=[self._arrivals.report(time.monotonic())] if self._arrivals.received else [],
        )
        name = rtp.RtcpSdesPacket(chunks=[rtp.RtcpSourceInfo(ssrc=self._ssrc, items=[(1, b"hub")])])
        self._ice.send_now(session.protect_rtcp(bytes(report) + bytes(name)))

    async def close(self) -> None:
        self._is_over = True
        self.is_connected = False
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self._dtls.stop()
        await self._ice.close()
