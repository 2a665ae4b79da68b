"""The loop that empties the outbox: claims what is due, hands it to the adapters, records what they say.

Nothing here holds a transaction while a provider is spoken to. When the process dies between claim and record, the lease
runs out and whoever claims the row next asks the provider (or parks it) instead of sending it again.

Where repeating is harmless (`Capabilities.repeatable`: mail) an attempt whose fate is not known goes back into the queue and
is made again, whole, with its own lease; a server that never says whether it has the mail is not sent it for ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

from hub.channels.channel import Accepted, Channel, OutgoingFile, OutgoingMessage
from hub.errors import DatabaseAway, HubError, InvalidInput, NotFound, ProviderError, Refused, Unavailable, Uncertain
from hub.store.database import Database
from hub.store.files import Files
from hub.store.stream import Wakes
from hub.store.vault import Vault
from hub.surveys import links
from hub.timeline import outbox
from hub.timeline.adapters import Adapters
from hub.timeline.outbox import Claimed

log = logging.getLogger(__name__)

# Messages on their way at once, over all channels of this process.
_IN_FLIGHT_LIMIT = 50
# Just under the lease, so that an attempt that hangs is recorded by the one who made it.
_ATTEMPT_TIMEOUT_S = 75.0
# A provider lists a message a moment after it took it.
_FIND_AFTER_S = 3.0
# A server that takes longer over a mail than we wait (RFC 5321 section 4.5.3.2.6 would have us wait for ten minutes) may
# deliver it each time, and not every mail box shows it once. Then an agent decides.
_REPEAT_LIMIT = 3
_LOOK_EVERY_S = 30.0
_RETRY_S = 1.0


def file_path(vault: Vault, attachment_id: str, until: datetime | None = None) -> str:
    """The signed path under which a provider may fetch an outgoing file, or, `until` then, a mail's HTML its picture."""
    if until is None:
        return f"/files/{attachment_id}/{vault.sign('outgoing-file', attachment_id)}"
    moment = str(int(until.timestamp()))
    return f"/files/{attachment_id}/{moment}.{vault.sign('shown-file', f'{attachment_id} {moment}')}"


def is_signed_file(vault: Vault, attachment_id: str, signature: str, now: datetime) -> bool:
    if not attachment_id.isdecimal() or len(attachment_id) >= 19:
        return False
    moment, dot, rest = signature.partition(".")
    if not dot:
        return vault.is_signed("outgoing-file", attachment_id, signature)
    if not moment.isascii() or not moment.isdecimal() or len(moment) > 12:
        return False
    return vault.is_signed("shown-file", f"{attachment_id} {moment}", rest) and now.timestamp() < int(moment)


class Sender:
    def __init__(
        self,
        database: Database,
        wakes: Wakes,
        adapters: Adapters,
        vault: Vault,
        files: Files,
        *,
        public_url: str,
        process: str,
    ) -> None:
        self._database = database
        self._wakes = wakes
        self._adapters = adapters
        self._vault = vault
        self._files = files
        self._public_url = public_url
        self._process = process
        self._in_flight: dict[asyncio.Task[None], int] = {}

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._round()
                except DatabaseAway:
                    await asyncio.sleep(_RETRY_S)
        finally:
            # Attempts that run are let finish: their answer is worth more than a quick exit.
            if self._in_flight:
                await asyncio.wait(self._in_flight.keys(), timeout=5)

    async def _round(self) -> None:
        room = _IN_FLIGHT_LIMIT - len(self._in_flight)
        if room <= 0:
            await asyncio.wait(self._in_flight.keys(), return_when=asyncio.FIRST_COMPLETED)
            return
        in_flight = set(self._in_flight.values())
        looked_at = self._database.clock()
        claimed = await self._database.transaction(outbox.claim, self._process, room, in_flight)
        for item in claimed:
            task = asyncio.create_task(self._deliver(item), name=f"send {item.outbox_id}")
            self._in_flight[task] = item.outbox_id
            task.add_done_callback(self._landed)
        if not claimed:
            due = await self._database.read(outbox.next_due, looked_at)
            wait_s = _LOOK_EVERY_S
            if due is not None:
                wait_s = min(max((due - self._database.clock()).total_seconds(), 0.05), _LOOK_EVERY_S)
            await self._wakes.wait("outbox", wait_s)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task)
        # Its row may have been due again, and passed over because it was in flight still.
        self._wakes.set("outbox")

    async def _deliver(self, claimed: Claimed) -> None:
        result = await self._attempt(claimed)
        if isinstance(result, ProviderError):
            log.info(
                "outbox.attempt_failed",
                extra={"channel": claimed.channel_id, "code": result.code, "provider_code": result.provider_code},
            )
        while True:
            try:
                await self._database.transaction(outbox.record, claimed, result)
                return
            except DatabaseAway:
                # What the provider said must not be forgotten; the lease bounds how long this is of use.
                await asyncio.sleep(_RETRY_S)

    async def _attempt(self, claimed: Claimed) -> Accepted | ProviderError:
        try:
            channel = await self._adapters.get(claimed.channel_id)
        except NotFound:
            return Refused("this channel is switched off", code="channel_off")
        except HubError as error:
            return Unavailable(error.message, code=error.code)
        is_repeatable = channel.capabilities.repeatable
        try:
            files = tuple(self._ready(file, channel.capabilities.carries_files) for file in claimed.message.files)
            message = replace(claimed.message, files=files)
            if claimed.survey is not None and message.mail is not None:
                message = replace(
                    message, text=links.letter(claimed.survey, message.text, self._vault, self._public_url)
                )
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                if claimed.is_reconciliation and not is_repeatable:
                    return await self._reconcile(channel, message)
                try:
                    return await channel.send(message)
                except Uncertain:
                    if is_repeatable:
                        raise
                    await asyncio.sleep(_FIND_AFTER_S)
                    return await self._reconcile(channel, message)
        except Uncertain as error:
            return _again(error, claimed) if is_repeatable else error
        except ProviderError as error:
            return error
        except TimeoutError:
            hung = Uncertain("the provider did not answer in time", code="timed_out")
            return _again(hung, claimed) if is_repeatable else hung
        except InvalidInput as error:
            return Refused(error.message, code="not_supported")
        except NotFound:
            return Refused("a file of this message is gone", code="file_gone")
        except Exception as error:
            # An adapter's bug: whether the message left is not known.
            log.exception("outbox.adapter_failed", extra={"channel": claimed.channel_id})
            return Uncertain(
                f"the {channel.account.kind} adapter failed: {type(error).__name__}", code="adapter_failed"
            )

    async def _reconcile(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        """Settles a message that may have left. Raises a ProviderError when it cannot say Accepted."""
        if not channel.capabilities.finds_sent:
            raise Uncertain("the message may have been sent; the provider cannot be asked", code="fate_unknown")
        try:
            found = await channel.find_sent(message)
        except Unavailable as error:
            raise Uncertain(
                "the message may have been sent; the provider does not answer", code="fate_unknown"
            ) from error
        if found is None:
            raise Unavailable("the provider never got the message", code="never_arrived", retry_after_s=0.0)
        return found

    def _ready(self, file: OutgoingFile, is_carried: bool) -> OutgoingFile:
        """As the adapter needs it: with the public address, or with the place of its bytes. NotFound if it is gone."""
        return replace(
            file,
            url=self._public_url + file_path(self._vault, file.url),
            path=str(self._files.path(file.path)) if is_carried else "",
        )


def _again(error: Uncertain, claimed: Claimed) -> ProviderError:
    """What an attempt of a repeatable message comes to that nobody knows the fate of: another one, soon, if there were not
    too many."""
    if claimed.attempts >= _REPEAT_LIMIT:
        return error
    return Unavailable(error.message, code=error.code, provider_code=error.provider_code)
