"""The small world that all benchmarks run in: one queue, one Twilio number, agents, and customers with open work."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.words import ACCOUNT_SID, AUTH_TOKEN, CHANNEL_ID, CUSTOMERS, HUB_NUMBER, phone_of
from hub.agents import accounts, queues
from hub.channels.channel import MessageArrival
from hub.domain.values import ChannelKind, ContactKind, Role
from hub.store.database import Database, Tx, open_database
from hub.store.files import Files
from hub.store.migrate import migrate
from hub.store.vault import Vault
from hub.timeline import channels
from hub.timeline.inbound import Intake

SECRET_KEY = "a-secret-key-for-benchmarks-only"
# No text that is measured comes with a file.
NO_FILES = Path("/dev/null/files")
_SESSION_S = 24 * 3600
# So many first messages wait for their commit together.
_AT_ONCE = 1_000


async def lay_world(url: str, agents: int = 0, supervisors: int = 0, customers: int = CUSTOMERS) -> list[str]:
    """Migrates an empty database and fills it; afterwards each of `customers` has an open conversation with one message, and
    each agent (a member of the queue, signed in, in no state to be offered work) has a session, whose tokens are
    returned; then those of supervisors."""
    await migrate(url)
    database = open_database(url)
    try:
        password_hash = await accounts.hash_password("bench") if agents + supervisors else ""
        tokens = await database.transaction(_lay, agents, supervisors, password_hash)
        for first in range(0, customers, _AT_ONCE):
            await _open_conversations(database, range(first, min(customers, first + _AT_ONCE)))
    finally:
        await database.close()
    return tokens


def _lay(tx: Tx, agents: int, supervisors: int, password_hash: str) -> list[str]:
    queue = queues.create_queue(tx, name="Bench")
    channels.create_channel(
        tx,
        Vault(SECRET_KEY),
        channel_id=CHANNEL_ID,
        kind=ChannelKind.SMS,
        name="Bench",
        queue_id=queue.id,
        settings={"account_sid": ACCOUNT_SID, "from_number": HUB_NUMBER},
        secrets={"auth_token": AUTH_TOKEN},
    )
    tokens = []
    for number in range(agents + supervisors):
        user = accounts.create_user(
            tx,
            email=f"agent{number}@bench.test",
            name=f"Agent {number}",
            role=Role.AGENT if number < agents else Role.SUPERVISOR,
            password_hash=password_hash,
            queue_ids=[queue.id],
        )
        tokens.append(accounts.open_session(tx, user.id, (), _SESSION_S).token)
    return tokens


async def _open_conversations(database: Database, customers: range) -> None:
    intake = Intake(database, Files(NO_FILES))
    await asyncio.gather(
        *(
            intake.accept(
                CHANNEL_ID,
                [
                    MessageArrival(
                        provider_id=f"first-{number}",
                        contact_kind=ContactKind.PHONE,
                        sender=phone_of(number),
                        text="Hello, is anybody there?",
                        raw="",
                        received_at=database.clock(),
                    )
                ],
            )
            for number in customers
        )
    )
