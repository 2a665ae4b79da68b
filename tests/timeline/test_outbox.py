"""What goes out: order, leases, the three kinds of failure, receipts by rank, the breaker."""

import asyncio
import json
from datetime import timedelta

import pytest

from hub.agents.viewer import Viewer
from hub.channels.channel import Accepted, Consent
from hub.domain.states import Delivery
from hub.domain.values import AuthorKind
from hub.domain.views import Author
from hub.errors import Conflict, ProviderError, Refused, Unavailable, Uncertain
from hub.routing import dispatcher
from hub.store import tables
from hub.timeline import outbox
from hub.timeline.outbox import Claimed
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio


async def desk(scene: Scene) -> tuple[Viewer, int]:
    """An agent who holds a conversation."""
    agent = await scene.agent("Nare")
    conversation_id = (await scene.say("Hello")).conversation_id
    assert conversation_id is not None
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    return agent, conversation_id


async def write(scene: Scene, agent: Viewer, conversation_id: int, text: str = "Hi") -> int:
    author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
    entry = await scene.database.transaction(outbox.enqueue, conversation_id, author, text)
    return entry.id


async def claim(scene: Scene) -> list[Claimed]:
    return await scene.database.transaction(outbox.claim, "test")


async def record(scene: Scene, claimed: Claimed, result: Accepted | ProviderError) -> None:
    await scene.database.transaction(outbox.record, claimed, result)


async def delivery(scene: Scene, entry_id: int) -> tuple[object, object]:
    entry = await scene.row(tables.entry, id=entry_id)
    return entry["delivery"], entry["delivery_reason"]


async def test_an_answer_is_queued_with_its_entry_and_answers_the_customer(scene: Scene, clock: FrozenClock) -> None:
    agent, conversation_id = await desk(scene)
    clock.advance(30)
    entry_id = await write(scene, agent, conversation_id)
    assert await delivery(scene, entry_id) == ("queued", None)
    assert (await scene.row(tables.conversation))["unanswered_since"] is None
    (fact,) = [event for event in await scene.events() if event.kind == "fact.response"]
    assert '"is_first":true' in fact.body


async def test_each_request_of_a_conversation_has_a_first_answer(scene: Scene, clock: FrozenClock) -> None:
    """Answered, and once more; resolved, opened again by the customer, answered after three hours, and once more."""
    agent, conversation_id = await desk(scene)
    await write(scene, agent, conversation_id)
    await scene.say("And this?")
    await write(scene, agent, conversation_id)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)
    clock.advance(3600)
    assert await scene.opened("Hello again") == conversation_id
    clock.advance(3 * 3600)
    await write(scene, agent, conversation_id)
    clock.advance(60)
    await scene.say("One more")
    await write(scene, agent, conversation_id)
    told = [json.loads(event.body) for event in await scene.events() if event.kind == "fact.response"]
    assert [fact["is_first"] for fact in told] == [True, False, True, False]


async def test_the_attempt_and_its_lease_are_committed_before_anything_is_sent(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    row = await scene.row(tables.outbox)
    assert (row["state"], row["attempts"], row["attempted_at"]) == ("leased", 1, scene.database.clock())
    assert await delivery(scene, entry_id) == ("sending", None)
    assert claimed.message.delivery_id == row["delivery_id"]
    assert await claim(scene) == []


async def test_accepted_is_sent(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1", segments=2))
    assert await delivery(scene, entry_id) == ("sent", None)
    row = await scene.row(tables.outbox)
    assert (row["state"], row["provider_id"]) == ("done", "SM1")


async def test_only_the_oldest_unfinished_message_of_a_conversation_is_claimed(scene: Scene) -> None:
    agent, conversation_id = await desk(scene)
    first, second = [await write(scene, agent, conversation_id, text) for text in ("one", "two")]
    (claimed,) = await claim(scene)
    assert claimed.entry_id == first
    await record(scene, claimed, Accepted("SM1"))
    (claimed,) = await claim(scene)
    assert claimed.entry_id == second


async def test_refused_fails_with_the_providers_words_and_is_not_repeated(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Refused("no such number", code="invalid_number", provider_code="21211"))
    assert await delivery(scene, entry_id) == ("failed", "invalid_number")
    assert (await scene.row(tables.entry, id=entry_id))["delivery_detail"] == "no such number (21211)"
    assert await claim(scene) == []


async def test_unavailable_is_tried_again_later_and_holds_back_what_follows(scene: Scene, clock: FrozenClock) -> None:
    agent, conversation_id = await desk(scene)
    first = await write(scene, agent, conversation_id, "one")
    await write(scene, agent, conversation_id, "two")
    (claimed,) = await claim(scene)
    await record(scene, claimed, Unavailable("busy", retry_after_s=30))
    assert await delivery(scene, first) == ("queued", "unavailable")
    clock.advance(29)
    assert await claim(scene) == []
    clock.advance(2)
    (again,) = await claim(scene)
    assert (again.entry_id, again.attempts, again.is_reconciliation) == (first, 2, False)


async def test_after_a_day_of_unavailable_it_has_failed(scene: Scene, clock: FrozenClock) -> None:
    entry_id = await write(scene, *await desk(scene))
    clock.advance(timedelta(hours=25).total_seconds())
    (claimed,) = await claim(scene)
    await record(scene, claimed, Unavailable("busy"))
    assert await delivery(scene, entry_id) == ("failed", "gave_up")


async def test_uncertain_is_parked_for_the_agent_and_never_repeated_by_itself(scene: Scene, clock: FrozenClock) -> None:
    agent, conversation_id = await desk(scene)
    entry_id = await write(scene, agent, conversation_id)
    (claimed,) = await claim(scene)
    await record(scene, claimed, Uncertain("no answer"))
    assert await delivery(scene, entry_id) == ("uncertain", "uncertain")
    clock.advance(86_400)
    assert await claim(scene) == []


async def test_an_agent_may_send_an_uncertain_message_again_or_let_it_be(scene: Scene) -> None:
    agent, conversation_id = await desk(scene)
    entry_id = await write(scene, agent, conversation_id)
    (claimed,) = await claim(scene)
    await record(scene, claimed, Uncertain("no answer"))
    await scene.database.transaction(outbox.settle, entry_id, retry=True)
    (again,) = await claim(scene)
    assert again.message.delivery_id != claimed.message.delivery_id
    await record(scene, again, Uncertain("no answer"))
    await scene.database.transaction(outbox.settle, entry_id, retry=False)
    assert await delivery(scene, entry_id) == ("failed", "discarded")
    await scene.database.transaction(outbox.settle, entry_id, retry=True)


async def test_a_sent_message_cannot_be_settled_by_hand(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    with pytest.raises(Conflict):
        await scene.database.transaction(outbox.settle, entry_id, retry=True)


async def test_a_lease_that_ran_out_is_reconciled_and_not_sent(scene: Scene, clock: FrozenClock) -> None:
    await write(scene, *await desk(scene))
    (first,) = await claim(scene)
    attempted_at = clock()
    clock.advance(outbox.LEASE.total_seconds())
    (again,) = await claim(scene)
    assert (again.is_reconciliation, again.attempts) == (True, 1)
    assert again.message.attempted_at == attempted_at
    assert again.message.delivery_id == first.message.delivery_id


async def test_the_providers_message_proves_no_other_with_the_same_words(scene: Scene) -> None:
    """An "ok" that was sent does not stand for a second "ok" whose fate is unknown."""
    agent, conversation_id = await desk(scene)
    first, second = [await write(scene, agent, conversation_id, "ok") for _ in range(2)]
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    assert await delivery(scene, first) == ("sent", None)
    assert await delivery(scene, second) == ("uncertain", "cannot_tell")


async def test_receipts_raise_the_delivery_in_any_order(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    delivery_id = claimed.message.delivery_id
    await scene.receipt(delivery_id, Delivery.DELIVERED)
    await scene.receipt(delivery_id, Delivery.SENT)
    assert await delivery(scene, entry_id) == ("delivered", None)
    assert [row["applied"] for row in await scene.rows(tables.receipt)] == [True, False]


async def test_a_receipt_that_overtakes_the_providers_answer_settles_the_message(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await scene.receipt(claimed.message.delivery_id, Delivery.DELIVERED)
    await record(scene, claimed, Uncertain("timed out"))
    assert await delivery(scene, entry_id) == ("delivered", None)
    assert (await scene.row(tables.outbox))["state"] == "done"


async def test_a_bounce_after_delivered_is_the_named_exception(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    await scene.receipt(claimed.message.delivery_id, Delivery.DELIVERED)
    await scene.receipt(claimed.message.delivery_id, Delivery.FAILED, reason="bounced")
    assert await delivery(scene, entry_id) == ("failed", "bounced")


async def test_unknown_words_and_strangers_receipts_are_kept_and_change_nothing(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    await scene.receipt(claimed.message.delivery_id, None, word="teleported", reason="for a reason")
    await scene.receipt("nobody's", Delivery.DELIVERED)
    assert await delivery(scene, entry_id) == ("sent", None)
    assert [row["word"] for row in await scene.rows(tables.receipt)] == ["teleported", "delivered"]


async def test_nothing_is_written_to_whoever_asked_for_silence(scene: Scene) -> None:
    agent, conversation_id = await desk(scene)
    await scene.set(tables.contact_point, {"opted_out_at": scene.database.clock()})
    with pytest.raises(Conflict, match="not to be written to"):
        await write(scene, agent, conversation_id)


async def test_the_breaker_opens_after_failures_in_a_row_and_heals_with_the_first_success(
    scene: Scene, clock: FrozenClock
) -> None:
    agent, conversation_id = await desk(scene)
    await write(scene, agent, conversation_id)
    for _ in range(5):
        (claimed,) = await claim(scene)
        await record(scene, claimed, Unavailable("down"))
        clock.advance(600)
    channel = await scene.row(tables.channel)
    assert channel["health"] == "down"
    await scene.set(tables.channel, {"paused_until": clock() + timedelta(seconds=5)})
    assert await claim(scene) == []
    clock.advance(6)
    (claimed,) = await claim(scene)
    await record(scene, claimed, Accepted("SM1"))
    channel = await scene.row(tables.channel)
    assert (channel["health"], channel["paused_until"], channel["failures_in_row"]) == ("ok", None, 0)


async def test_many_senders_claim_each_message_once(scene: Scene) -> None:
    agent = await scene.agent()
    for n in range(12):
        conversation_id = (await scene.say(sender=f"c{n}")).conversation_id
        assert conversation_id is not None
        await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
        await write(scene, agent, conversation_id)
    rounds = await asyncio.gather(*(claim(scene) for _ in range(6)))
    ids = [claimed.outbox_id for claims in rounds for claimed in claims]
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.parametrize(("attempts", "low", "high"), [(1, 1.6, 2.4), (4, 12.8, 19.2), (30, 240, 360)])
def test_back_off_doubles_up_to_five_minutes_with_jitter(attempts: int, low: float, high: float) -> None:
    assert outbox.backoff_s(attempts, 0.0) == pytest.approx(low)
    assert outbox.backoff_s(attempts, 1.0) == pytest.approx(high)


async def test_what_waits_when_the_customer_says_stop_is_not_sent(scene: Scene) -> None:
    entry_id = await write(scene, *await desk(scene))
    await scene.say("STOP", consent=Consent.STOP)
    assert await claim(scene) == []
    assert await delivery(scene, entry_id) == ("failed", "opted_out")


async def test_a_result_counts_only_while_its_own_lease_stands(scene: Scene, clock: FrozenClock) -> None:
    entry_id = await write(scene, *await desk(scene))
    (slow,) = await claim(scene)
    clock.advance(outbox.LEASE.total_seconds())
    (again,) = await claim(scene)
    await record(scene, slow, Unavailable("busy"))
    assert await delivery(scene, entry_id) == ("sending", None)
    await record(scene, again, Accepted("SM1"))
    assert await delivery(scene, entry_id) == ("sent", None)


async def test_what_this_process_is_sending_still_is_not_claimed_again(scene: Scene, clock: FrozenClock) -> None:
    await write(scene, *await desk(scene))
    (claimed,) = await claim(scene)
    clock.advance(outbox.LEASE.total_seconds())
    assert await scene.database.transaction(outbox.claim, "test", 10, {claimed.outbox_id}) == []
