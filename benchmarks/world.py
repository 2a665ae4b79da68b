"""The small world that all benchmarks run in: one organisation, one queue, one Twilio number, known customers."""

from __future__ import annotations

from sqlalchemy import insert

from benchmarks.words import ACCOUNT_SID, CHANNEL_ID, CUSTOMERS, HUB_NUMBER, phone_of
from hub.channels.channel import MessageArrival
from hub.domain.values import ContactKind
from hub.store import tables
from hub.store.database import Database, Tx
from hub.store.stream import create_stream
from hub.timeline.inbound import Intake


async def lay_world(database: Database) -> None:
    """Into empty tables; afterwards every customer has an open conversation with one message."""
    await database.transaction(_lay)
    intake = Intake(database)
    for number in range(0, CUSTOMERS, 100):
        arrivals = [
            MessageArrival(
                provider_id=f"first-{each}",
                contact_kind=ContactKind.PHONE,
                sender=phone_of(each),
                text="Hello, is anybody there?",
                raw="",
                received_at=database.clock(),
            )
            for each in range(number, number + 100)
        ]
        await intake.accept(CHANNEL_ID, arrivals)


def _lay(tx: Tx) -> None:
    create_stream(tx)
    tx.execute(insert(tables.organisation).values(id=1, name="Bench", time_zone="Europe/Kyiv"))
    queue_id = tx.insert(tables.queue, {"name": "Bench"})
    tx.execute(
        insert(tables.channel).values(
            id=CHANNEL_ID,
            kind="sms",
            name="Bench",
            queue_id=queue_id,
            settings={"account_sid": ACCOUNT_SID, "from_number": HUB_NUMBER},
            secrets="",
            health_since=tx.now,
        )
    )
