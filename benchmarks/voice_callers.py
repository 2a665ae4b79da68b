"""Callers for measuring the media process: light WebRTC legs that send packets made beforehand and count what comes back.

A child of benchmarks.voice. It hears one job after the other, {"add": calls} or {"measure_s": seconds}, and answers
{"calls"} ("refused": why, if a call was) or {"expected", "received"} packets in that time. What a leg receives is counted,
not unpacked: the callers share the machine with what is measured.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import struct
import time
from pathlib import Path
from typing import Any

import aiohttp
import aioice
import uvloop
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from benchmarks.children import hear_parent, tell_parent
from hub.media.codec import CODECS, Codec
from hub.media.frame import FRAME_S
from hub.media.ogg import read_sound
from hub.media.peer import Addresses, Ice
from hub.media.precedence import take_precedence
from hub.media.signature import signed_headers

_PAYLOAD_TYPES = {"opus": 111, "PCMU": 0}
_SPEECH = Path(__file__).resolve().parent.parent / "hub" / "media" / "phrases" / "en" / "leave_message.ogg"


class CallerIce(Ice):
    """The end that made the offer."""

    role = "controlling"

    def __init__(self, leg: CallerLeg) -> None:
        super().__init__(Addresses(("127.0.0.1",)), leg.count)
        self.ice_controlling = True


class CallerLeg:
    def __init__(self, codec: Codec, packets: list[bytes], start: int) -> None:
        self.received = 0
        self._codec = codec
        self._packets = packets
        self._at = start
        self._ice = CallerIce(self)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = RTCDtlsTransport(self._ice, [self._certificate])  # type: ignore[arg-type]
        self._payload_type = _PAYLOAD_TYPES[codec.name]
        self._sequence, self._timestamp, self._ssrc = secrets.randbelow(0x8000), 0, secrets.randbits(32)

    def count(self, data: bytes) -> None:
        if not 191 < data[1] < 224:
            self.received += 1

    async def offer(self) -> str:
        await self._ice.gather_candidates()
        name = f"{self._codec.name}/{self._codec.clock}" + (
            f"/{self._codec.channels}" if self._codec.channels > 1 else ""
        )
        fingerprint = next(each for each in self._certificate.getFingerprints() if each.algorithm == "sha-256")
        lines = [
            *("v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"),
            f"m=audio 9 UDP/TLS/RTP/SAVPF {self._payload_type}",
            *("c=IN IP4 0.0.0.0", "a=mid:0", "a=sendrecv", "a=rtcp-mux"),
            f"a=rtpmap:{self._payload_type} {name}",
            f"a=ice-ufrag:{self._ice.local_username}",
            f"a=ice-pwd:{self._ice.local_password}",
            f"a=fingerprint:sha-256 {fingerprint.value}",
            "a=setup:actpass",
            *(f"a=candidate:{each.to_sdp()}" for each in self._ice.local_candidates),
        ]
        return "\r\n".join(lines) + "\r\n"

    async def take_answer(self, sdp: str) -> None:
        found = [line.partition(":") for line in sdp.splitlines() if line.startswith("a=")]
        said = {name: value for name, _, value in found}
        self._ice.remote_username, self._ice.remote_password = said["a=ice-ufrag"], said["a=ice-pwd"]
        for name, _, value in found:
            if name == "a=candidate":
                await self._ice.add_remote_candidate(aioice.Candidate.from_sdp(value))
        await self._ice.add_remote_candidate(None)
        await self._ice.connect()
        self._dtls._set_role("server")
        algorithm, _, value = said["a=fingerprint"].partition(" ")
        await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))

    def send(self) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + self._codec.clock // 50 & 0xFFFFFFFF
        self._at = (self._at + 1) % len(self._packets)
        head = struct.pack("!BBHII", 0x80, self._payload_type, self._sequence, self._timestamp, self._ssrc)
        self._ice.send_now(self._dtls._tx_srtp.protect(head + self._packets[self._at]))


class Callers:
    def __init__(self, job: dict[str, Any]) -> None:
        self._url, self._key = job["url"], bytes.fromhex(job["key"])
        self._webhook_url, self._parties = job["webhook_url"], job["parties"]
        self._codec = CODECS[job["codec"]]
        speech = read_sound(_SPEECH.read_bytes(), self._codec.rate)
        self._packets = [frame.packet or b"" for frame in self._codec.frames(speech)]
        self._legs: list[CallerLeg] = []
        self._calls = 0

    async def _post(self, session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        content = json.dumps(body).encode()
        headers = signed_headers(self._key, int(time.time()), "POST", path, content)
        async with session.post(self._url + path, data=content, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def add(self, session: aiohttp.ClientSession, calls: int) -> dict[str, Any]:
        for _ in range(calls):
            room = f"room-{self._calls}"
            for party in self._parties:
                leg = CallerLeg(self._codec, self._packets, secrets.randbelow(len(self._packets)))
                status, answer = await self._post(
                    session,
                    f"/legs/{room}-{party}-{secrets.token_hex(4)}/connect",
                    {
                        "webhook_url": self._webhook_url,
                        "party": party,
                        "room": room,
                        "scene": {"kind": "talk"},
                        "scene_version": 1,
                        "sdp": await leg.offer(),
                    },
                )
                if status != 200:
                    return {"calls": self._calls, "refused": answer["code"]}
                await leg.take_answer(answer["sdp"])
                self._legs.append(leg)
            self._calls += 1
            order = {"recording": "on", "webhook_url": self._webhook_url}
            status, answer = await self._post(session, f"/rooms/{room}/recording", order)
            assert status == 204, answer
        return {"calls": self._calls}

    async def send(self) -> None:
        """Every 20 ms one packet of each leg, spread over that time as if they were strangers."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        slots = 10
        while True:
            for slot in range(slots):
                due += FRAME_S / slots
                await asyncio.sleep(max(0.0, due - loop.time()))
                for leg in self._legs[slot::slots]:
                    leg.send()

    async def measure(self, seconds: float) -> dict[str, Any]:
        before, begun = [leg.received for leg in self._legs], time.monotonic()
        await asyncio.sleep(seconds)
        lasted = time.monotonic() - begun
        received = sum(leg.received - count for leg, count in zip(self._legs, before, strict=True))
        return {"expected": round(lasted / FRAME_S) * len(self._legs), "received": received}


async def main() -> None:
    loop = asyncio.get_running_loop()
    callers = Callers(await loop.run_in_executor(None, hear_parent))
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(callers.send())
        tell_parent("ready")
        while True:
            job = await loop.run_in_executor(None, hear_parent)
            if "add" in job:
                tell_parent(await callers.add(session, job["add"]))
            else:
                tell_parent(await callers.measure(job["measure_s"]))


if __name__ == "__main__":
    take_precedence()
    uvloop.run(main())
