"""Mails in the timeline: each finds its conversation, nobody gets into another's, and what becomes of an answer is told."""

import asyncio
import dataclasses
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.agents.viewer import Viewer
from hub.channels.channel import Accepted, Media, MessageArrival, ReceiptArrival, RefusedRecipient
from hub.domain.mail import UNKNOWN_SENDER, IncomingMail, Mailbox, MailKind, Noise, Span, SpanKind
from hub.domain.states import Delivery
from hub.domain.values import AuthorKind, ContactKind, Role
from hub.domain.views import Author
from hub.errors import Conflict, InvalidInput, Refused, Unavailable
from hub.routing import dispatcher
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import automatic_replies, conversations, mails, outbox, threads
from hub.timeline.inbound import Intake, Outcome
from hub.timeline.mails import MailWish
from tests.support.clock import FrozenClock
from tests.support.scene import Scene

pytestmark = pytest.mark.anyio

CHANNEL = "mail"
_numbers = itertools.count(1)


@pytest.fixture
async def post(scene: Scene) -> Scene:
    await scene.channel(CHANNEL, "email")
    await scene.set(tables.channel, {"settings": {"address": "support@shop.test"}}, id=CHANNEL)
    return scene


def arrival(
    text: str = "Hello",
    *,
    sender: str = "ani@example.com",
    subject: str = "My order",
    name: str = "Ani",
    provider_id: str | None = None,
    media: tuple[Media, ...] = (),
    message: bytes = b"Subject: x\r\n\r\nHello\r\n",
    **mail: Any,
) -> Callable[[Scene], MessageArrival]:
    number = next(_numbers)

    def make(scene: Scene) -> MessageArrival:
        facts: dict[str, Any] = {
            "message_id": f"m{number}@example.com",
            "subject": subject,
            "senders": (Mailbox(sender, name),),
            "to": (Mailbox("support@shop.test"),),
            "spans": (Span(SpanKind.WRITTEN, text),),
            "size_bytes": len(message),
        }
        return MessageArrival(
            provider_id=provider_id or f"mail:{number}",
            contact_kind=ContactKind.EMAIL,
            sender=sender,
            sender_name=name or None,
            text=text,
            raw="{}",
            received_at=scene.database.clock(),
            media=media,
            mail=IncomingMail(**(facts | mail)),
            message=message,
        )

    return make


async def take(scene: Scene, make: Callable[[Scene], MessageArrival]) -> Outcome:
    return (await scene.intake.accept(CHANNEL, [make(scene)]))[0]


async def opened(scene: Scene, **facts: Any) -> int:
    outcome = await take(scene, arrival(**facts))
    assert outcome.conversation_id is not None
    return outcome.conversation_id


async def thread_of(scene: Scene, conversation_id: int) -> str:
    return str((await scene.row(tables.conversation, id=conversation_id))["thread"])


async def resolve(scene: Scene, agent: Viewer, conversation_id: int) -> None:
    await scene.database.transaction(dispatcher.claim, agent, conversation_id, None)
    await scene.database.transaction(dispatcher.resolve, agent, conversation_id)


async def answer(scene: Scene, agent: Viewer, conversation_id: int, text: str = "Yes.", **wish: Any) -> int:
    def write(tx: Tx) -> int:
        author = Author(AuthorKind.AGENT, agent.name, agent.user_id)
        tx.lock_conversations([conversation_id])
        own = {"support@shop.test"}
        return outbox.enqueue(tx, conversation_id, author, text, mail=MailWish(**wish), own_addresses=own).id

    return await scene.database.transaction(write)


async def sent(scene: Scene, result: Accepted | None = None) -> outbox.Claimed:
    (claimed,) = await scene.database.transaction(outbox.claim, "test")
    await scene.database.transaction(
        outbox.record, claimed, result or Accepted(f"{claimed.message.delivery_id}@shop.test")
    )
    return claimed


# --- which conversation ------------------------------------------------------------------------------------------------


async def test_a_mail_becomes_a_customer_a_conversation_with_its_subject_and_a_kept_message(post: Scene) -> None:
    outcome = await take(post, arrival("Where is it?", message=b"raw bytes"))
    customer = await post.row(tables.customer)
    conversation = await post.row(tables.conversation)
    mail = await post.row(tables.mail)
    assert (customer["name"], conversation["subject"]) == ("Ani", "My order")
    assert conversation["status"] == "open"
    assert conversation["queued_since"] is not None
    assert mail["entry_id"] == outcome.entry_id
    assert post.files.path(mail["raw_key"]).read_bytes() == b"raw bytes"


async def test_a_mail_that_comes_twice_is_stored_once_and_leaves_no_second_file(post: Scene) -> None:
    make = arrival(provider_id="mail:same")
    assert (await take(post, make)).is_new
    assert not (await take(post, make)).is_new
    assert len(await post.rows(tables.entry)) == 1
    assert len([path for path in post.files_dir.rglob("*") if path.is_file()]) == 1


async def test_a_new_topic_begins_a_new_conversation(post: Scene) -> None:
    first = await opened(post, subject="My order")
    second = await opened(post, subject="An invoice")
    assert first != second
    assert [row["status"] for row in await post.rows(tables.conversation)] == ["open", "open"]
    assert len(await post.rows(tables.customer)) == 1


async def test_the_signed_token_brings_a_mail_home_whatever_else_it_says(post: Scene) -> None:
    first = await opened(post)
    again = await opened(post, subject="Something else", thread=await thread_of(post, first))
    assert again == first


async def test_a_reference_brings_the_customers_answer_home(post: Scene) -> None:
    first = await opened(post, message_id="first@example.com")
    again = await opened(post, subject="Other words", in_reply_to=("first@example.com",))
    assert again == first


async def test_nobody_enters_a_conversation_by_naming_a_message_of_it(post: Scene) -> None:
    theirs = await opened(post, message_id="secret@example.com")
    intruder = await opened(
        post,
        sender="eve@evil.test",
        name="Eve",
        in_reply_to=("secret@example.com",),
        references=("secret@example.com",),
    )
    assert intruder != theirs
    assert len(await post.rows(tables.customer)) == 2


async def test_nobody_enters_a_conversation_by_its_number_or_its_subject(post: Scene) -> None:
    theirs = await opened(post, subject="My order")
    intruder = await opened(post, sender="eve@evil.test", subject=f"Re: My order [#{theirs}]")
    assert intruder != theirs


async def test_a_token_of_another_channel_opens_nothing(post: Scene) -> None:
    theirs = await opened(post)
    thread = await thread_of(post, theirs)
    await post.channel("mail-2", "email")
    outcome = (await post.intake.accept("mail-2", [arrival(subject="Hi", thread=thread)(post)]))[0]
    assert outcome.conversation_id != theirs


@pytest.mark.parametrize(
    "subject", ["My order", "Re: My order", "AW: Re[2]: My order", "FW: my  ORDER", "Ответ: My order"]
)
async def test_the_same_subject_from_the_same_customer_is_the_same_matter(post: Scene, subject: str) -> None:
    first = await opened(post, subject="My order")
    assert await opened(post, subject=subject) == first


async def test_the_same_subject_much_later_is_a_new_matter(post: Scene, clock: FrozenClock) -> None:
    first = await opened(post, subject="Order")
    clock.advance((threads.SUBJECT_WINDOW + timedelta(minutes=1)).total_seconds())
    assert await opened(post, subject="Order") != first


async def test_mails_without_a_subject_are_not_the_same_matter(post: Scene) -> None:
    assert await opened(post, subject="") != await opened(post, subject="Re:")


async def test_somebody_in_copy_joins_the_conversation_without_a_card_of_their_own(post: Scene) -> None:
    first = await opened(post, message_id="a@x", cc=(Mailbox("boss@example.com", "The boss"),))
    outcome = await take(post, arrival("I agree", sender="boss@example.com", name="The boss", in_reply_to=("a@x",)))
    assert outcome.conversation_id == first
    assert len(await post.rows(tables.customer)) == 1
    entry = await post.row(tables.entry, id=outcome.entry_id)
    assert entry["author_name"] == "The boss"
    assert (await post.row(tables.mail, entry_id=outcome.entry_id))["is_stranger"]


async def test_a_plain_answer_goes_to_the_customer_when_somebody_else_wrote_last(post: Scene) -> None:
    agent = await post.agent()
    first = await opened(post, message_id="a@x", cc=(Mailbox("boss@example.com"),))
    await take(post, arrival("I agree", sender="boss@example.com", in_reply_to=("a@x",)))
    await answer(post, agent, first)
    assert (await sent(post)).message.recipient == "ani@example.com"


async def test_two_mails_of_one_new_thread_in_one_group_are_one_conversation(post: Scene) -> None:
    outcomes = await post.intake.accept(
        CHANNEL, [arrival(message_id="g@x")(post), arrival(subject="Else", in_reply_to=("g@x",))(post)]
    )
    assert outcomes[0].conversation_id == outcomes[1].conversation_id


async def test_a_mail_soon_after_the_resolution_reopens_it_and_a_late_one_begins_anew(
    post: Scene, clock: FrozenClock
) -> None:
    agent = await post.agent()
    first = await opened(post)
    thread = await thread_of(post, first)
    await resolve(post, agent, first)
    clock.advance(3600)
    assert await opened(post, thread=thread) == first
    await resolve(post, agent, first)
    clock.advance(30 * 86_400)
    assert await opened(post, thread=thread) != first


async def test_a_message_id_that_hundreds_of_mails_share_stays_cheap_and_leads_to_the_newest(post: Scene) -> None:
    for number in range(60):
        await opened(post, sender=f"c{number}@example.com", subject=f"S{number}", message_id="same@x")
    again = await opened(post, sender="c59@example.com", subject="Other", in_reply_to=("same@x",))
    assert again == (await post.row(tables.conversation, subject="S59"))["id"]


async def test_mails_that_name_no_sender_share_no_conversation(post: Scene) -> None:
    assert await opened(post, sender=UNKNOWN_SENDER, name="") != await opened(post, sender=UNKNOWN_SENDER, name="")


async def test_processes_that_take_the_same_customers_mails_in_other_orders_do_not_lock_each_other_out(
    post: Scene,
) -> None:
    senders = [f"c{number}@example.com" for number in range(20)]
    for sender in senders[:10]:
        await opened(post, sender=sender)
    intakes = [Intake(post.database, post.files) for _ in range(3)]
    async with asyncio.timeout(20):
        for _ in range(3):
            await asyncio.gather(
                *(
                    intake.accept(CHANNEL, [arrival(sender=sender)(post) for sender in order])
                    for intake, order in zip(intakes, (senders, senders[::-1], senders[5:] + senders[:5]), strict=True)
                )
            )
    assert len(await post.rows(tables.conversation)) == 20
    assert len(await post.rows(tables.entry, direction="in")) == 10 + 3 * 3 * 20


async def test_one_mail_that_cannot_be_stored_takes_none_of_its_batch_along(post: Scene) -> None:
    broken = dataclasses.replace(arrival(subject="Broken")(post), contact_kind="nonsense")  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"."):
        await post.intake.accept(CHANNEL, [arrival(subject="A")(post), broken, arrival(subject="B")(post)])
    assert {row["subject"] for row in await post.rows(tables.conversation)} == {"A", "B"}


# --- machines -----------------------------------------------------------------------------------------------------------


async def test_an_out_of_office_note_is_kept_and_wakes_nobody(post: Scene) -> None:
    agent = await post.agent()
    first = await opened(post)
    thread = await thread_of(post, first)
    await resolve(post, agent, first)
    await take(post, arrival("I am away", thread=thread, noise=Noise.AUTO_REPLY))
    conversation = await post.row(tables.conversation)
    assert (conversation["status"], conversation["unanswered_since"]) == ("resolved", None)
    assert len(await post.rows(tables.mail)) == 2


async def test_a_machines_note_that_belongs_nowhere_is_kept_as_done(post: Scene) -> None:
    await take(post, arrival("I am away", noise=Noise.AUTO_REPLY))
    conversation = await post.row(tables.conversation)
    assert (conversation["status"], conversation["queued_since"]) == ("resolved", None)


@pytest.mark.parametrize("noise", [Noise.AUTOMATIC, Noise.LIST, Noise.REPORT])
async def test_a_machines_own_mail_is_work_all_the_same(post: Scene, noise: Noise) -> None:
    await take(post, arrival("New order 17", noise=noise))
    assert (await post.row(tables.conversation))["queued_since"] is not None


async def acknowledging(scene: Scene) -> None:
    await scene.set(
        tables.channel,
        {"settings": {"address": "support@shop.test", "acknowledgement": "We have it: {subject} (#{number})."}},
        id=CHANNEL,
    )


async def acknowledgements(scene: Scene) -> int:
    return len(await scene.rows(tables.mail, kind="acknowledgement"))


async def test_a_first_mail_is_acknowledged_once(post: Scene) -> None:
    await acknowledging(post)
    first = await opened(post, subject="My order")
    await opened(post, subject="Re: My order")
    (entry,) = await post.rows(tables.entry, author_kind="system", direction="out")
    assert entry["text"] == f"We have it: My order (#{first})."
    claimed = await sent(post)
    assert claimed.message.mail is not None
    assert (claimed.message.mail.kind, claimed.message.mail.quoted) == (MailKind.ACKNOWLEDGEMENT, None)
    # An automatic answer answers nothing: somebody still has to, and sees what was asked.
    conversation = await post.row(tables.conversation)
    assert conversation["unanswered_since"] is not None
    assert conversation["preview_direction"] == "in"


@pytest.mark.parametrize(
    ("facts", "count"),
    [({"fault": "tnef_unreadable"}, 1), ({"fault": "too_deep"}, 0), ({"refuses_automatic_answers": True}, 0)],
)
async def test_what_a_person_wrote_is_acknowledged_unless_they_want_it_otherwise(
    post: Scene, facts: dict[str, Any], count: int
) -> None:
    await acknowledging(post)
    await take(post, arrival(**facts))
    assert await acknowledgements(post) == count


@pytest.mark.parametrize("noise", [noise for noise in Noise if noise is not Noise.NONE])
async def test_a_machine_is_never_acknowledged(post: Scene, noise: Noise) -> None:
    await acknowledging(post)
    await take(post, arrival(noise=noise))
    assert await acknowledgements(post) == 0


@pytest.mark.parametrize("sender", ["mailer-daemon@example.com", "no-reply@shop.example", UNKNOWN_SENDER])
async def test_an_address_that_nobody_reads_is_never_acknowledged(post: Scene, sender: str) -> None:
    await acknowledging(post)
    await take(post, arrival(sender=sender))
    assert await acknowledgements(post) == 0


async def test_two_machines_that_answer_each_other_stop_soon(post: Scene, clock: FrozenClock) -> None:
    await acknowledging(post)
    for number in range(20):
        await take(post, arrival(subject=f"Topic {number}"))
        clock.advance(automatic_replies.PAUSE.total_seconds() / 2)
    assert await acknowledgements(post) == automatic_replies.DAILY_LIMIT


# --- files ------------------------------------------------------------------------------------------------------------


async def test_files_of_a_mail_wait_to_be_taken_out_of_it(post: Scene) -> None:
    media = (Media("image/png", "a.png", part=3, size_bytes=9, content_id="pic@x", is_inline=True),)
    await take(post, arrival(media=media))
    (file,) = await post.rows(tables.attachment)
    assert (file["part"], file["content_id"], file["is_inline"], file["state"]) == (3, "pic@x", True, "fetching")


# --- out ----------------------------------------------------------------------------------------------------------------


async def test_an_answer_goes_where_the_mail_asks_and_names_its_ancestors(post: Scene) -> None:
    agent = await post.agent("Mara")
    conversation_id = await opened(
        post, message_id="b@x", references=("a@x",), reply_to=(Mailbox("ani.home@example.com", "Ani"),)
    )
    await answer(post, agent, conversation_id)
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert mail.to == (Mailbox("ani.home@example.com", "Ani"),)
    assert (mail.in_reply_to, mail.references) == ("b@x", ("a@x", "b@x"))
    assert (mail.subject, mail.author) == ("Re: My order", "Mara")
    assert mail.quoted is not None
    assert mail.quoted.text == "Hello"


async def test_an_answer_is_about_the_customers_words_not_about_their_machines_note(post: Scene) -> None:
    agent = await post.agent()
    conversation_id = await opened(post, subject="Invoice please", message_id="b@x")
    away = arrival("I am away", subject="Auto: Re: Invoice please", in_reply_to=("b@x",), noise=Noise.AUTO_REPLY)
    await take(post, away)
    await answer(post, agent, conversation_id)
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert (mail.subject, mail.in_reply_to) == ("Re: Invoice please", "b@x")


async def test_our_own_sent_mails_are_ancestors_too(post: Scene) -> None:
    agent = await post.agent()
    conversation_id = await opened(post, message_id="b@x")
    entry_id = await answer(post, agent, conversation_id)
    ours = (await sent(post)).message.delivery_id + "@shop.test"
    await answer(post, agent, conversation_id, about_entry_id=entry_id)
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert mail.references == ("b@x", ours)
    assert mail.to == (Mailbox("ani@example.com", "Ani"),)


async def test_signatures_of_the_agent_and_the_queue_stand_below_as_they_were_when_it_was_sent(post: Scene) -> None:
    agent = await post.agent("Mara")
    await post.set(tables.user_account, {"signature": "Mara, Support"}, id=agent.user_id)
    await post.set(tables.queue, {"signature": "The Shop\nYerevan"})
    conversation_id = await opened(post)
    await answer(post, agent, conversation_id)
    await post.set(tables.queue, {"signature": "changed"})
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert mail.signature == "Mara, Support\n\nThe Shop\nYerevan"


async def test_a_forward_goes_to_others_and_answers_nobody(post: Scene) -> None:
    agent = await post.agent()
    conversation_id = await opened(post)
    await answer(post, agent, conversation_id, kind=MailKind.FORWARD, to=(Mailbox("Depot@Example.org"),))
    claimed = await sent(post)
    assert claimed.message.recipient == "depot@example.org"
    mail = claimed.message.mail
    assert mail is not None
    assert (mail.subject, mail.in_reply_to) == ("Fwd: My order", None)
    assert (await post.row(tables.conversation))["unanswered_since"] is not None


async def test_a_recipient_that_is_no_address_is_named(post: Scene) -> None:
    agent = await post.agent()
    conversation_id = await opened(post)
    with pytest.raises(InvalidInput) as refused:
        await answer(post, agent, conversation_id, cc=(Mailbox("not an address"),))
    assert list(refused.value.fields) == ["mail.cc"]
    with pytest.raises(InvalidInput) as refused:
        await answer(post, agent, conversation_id, kind=MailKind.FORWARD)
    assert list(refused.value.fields) == ["mail.to"]


async def test_a_mail_of_another_conversation_cannot_be_quoted(post: Scene) -> None:
    agent = await post.agent()
    theirs = await take(post, arrival(sender="other@example.com"))
    mine = await opened(post)
    with pytest.raises(InvalidInput) as refused:
        await answer(post, agent, mine, about_entry_id=theirs.entry_id)
    assert list(refused.value.fields) == ["mail.about_entry_id"]


async def test_a_new_mail_always_begins_a_new_conversation(post: Scene) -> None:
    agent = await post.agent(role=Role.SUPERVISOR)
    await opened(post)
    point = await post.row(tables.contact_point)
    views = [
        await post.database.transaction(dispatcher.open_conversation, agent, CHANNEL, point["id"], subject)
        for subject in ("An offer", "Another offer")
    ]
    assert len({view.id for view in views}) == 2
    await answer(post, agent, views[0].id, kind=MailKind.NEW)
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert (mail.subject, mail.quoted, mail.references) == ("An offer", None, ())


async def test_reopening_one_topic_does_not_ask_about_the_others(post: Scene) -> None:
    agent = await post.agent()
    first, _ = await opened(post, subject="One"), await opened(post, subject="Two")
    await resolve(post, agent, first)
    assert (await post.database.transaction(dispatcher.reopen, agent, first)).status == "open"


async def test_on_other_channels_a_second_open_conversation_is_still_refused(post: Scene, clock: FrozenClock) -> None:
    agent = await post.agent()
    first = await post.opened("one")
    await resolve(post, agent, first)
    clock.advance(30 * 86_400)
    await post.opened("two")
    with pytest.raises(Conflict, match="newer open"):
        await post.database.transaction(dispatcher.reopen, agent, first)


# --- what becomes of it ---------------------------------------------------------------------------------------------------


def receipt(delivery_id: str, state: Delivery | None, **facts: Any) -> ReceiptArrival:
    base: dict[str, Any] = {
        "provider_id": f"dsn:{next(_numbers)}",
        "delivery_id": delivery_id,
        "message_provider_id": None,
        "word": state.value if state else "delayed",
        "state": state,
        "raw": "{}",
    }
    return ReceiptArrival(**(base | facts))


async def test_a_bounce_is_shown_on_the_message_and_on_the_address(post: Scene) -> None:
    agent = await post.agent()
    entry_id = await answer(post, agent, await opened(post))
    claimed = await sent(post)
    now = post.database.clock()
    bounce = receipt(
        claimed.message.delivery_id,
        Delivery.FAILED,
        reason="no_such_mailbox",
        detail="550 5.1.1 unknown user",
        recipient="ani@example.com",
        received_at=now,
    )
    await post.intake.accept(CHANNEL, [bounce])
    entry = await post.row(tables.entry, id=entry_id)
    assert (entry["delivery"], entry["delivery_reason"]) == ("failed", "no_such_mailbox")
    point = await post.row(tables.contact_point)
    assert (point["bounced_at"], point["bounce_reason"]) == (now, "no_such_mailbox")
    await opened(post, subject="I am back")
    assert (await post.row(tables.contact_point))["bounced_at"] is None


async def test_a_copy_that_bounces_leaves_the_message_alone_and_is_told(post: Scene) -> None:
    agent = await post.agent()
    entry_id = await answer(post, agent, await opened(post), cc=(Mailbox("boss@example.com"),))
    claimed = await sent(post)
    lost = receipt(
        claimed.message.delivery_id,
        Delivery.FAILED,
        reason="no_such_mailbox",
        recipient="boss@example.com",
        received_at=post.database.clock(),
    )
    await post.intake.accept(CHANNEL, [lost])
    assert (await post.row(tables.entry, id=entry_id))["delivery"] == "sent"
    (told,) = await post.rows(tables.entry, happening="bounced")
    assert told["data"]["address"] == "boss@example.com"
    assert (await post.row(tables.contact_point))["bounced_at"] is None


async def test_a_copy_that_the_relay_refuses_is_told(post: Scene) -> None:
    agent = await post.agent()
    await answer(post, agent, await opened(post), cc=(Mailbox("boss@example.com"),))
    await sent(post, Accepted("x@shop.test", refused=(RefusedRecipient("boss@example.com", "no_such_mailbox", "550"),)))
    assert [row["data"]["code"] for row in await post.rows(tables.entry, happening="bounced")] == ["no_such_mailbox"]


async def test_a_forged_report_marks_nobody_and_is_told_once(post: Scene) -> None:
    """Whoever got a mail of ours knows its ids and can write reports about it."""
    agent = await post.agent()
    await opened(post, sender="victim@example.com", subject="Other matter")
    entry_id = await answer(post, agent, await opened(post), cc=(Mailbox("boss@example.com"),))
    delivery_id = (await sent(post)).message.delivery_id
    now = post.database.clock()
    forged = [
        receipt(delivery_id, Delivery.FAILED, reason="no_such_mailbox", recipient=name, received_at=now)
        for name in ["victim@example.com", *["boss@example.com"] * 5]
    ]
    complaints = [receipt(delivery_id, None, is_complaint=True, recipient=f"c{n}@x", received_at=now) for n in range(5)]
    for one in (*forged, *complaints):
        await post.intake.accept(CHANNEL, [one])
    points = {row["address"]: row["bounced_at"] for row in await post.rows(tables.contact_point)}
    assert points["victim@example.com"] is None
    assert len(await post.rows(tables.entry, happening="bounced")) == 1
    assert len(await post.rows(tables.entry, happening="complained")) == 1
    # An address that we never wrote to can only be where the mail was passed on to: it is about the message.
    assert (await post.row(tables.entry, id=entry_id))["delivery"] == "failed"


async def test_a_refused_address_is_marked(post: Scene) -> None:
    agent = await post.agent()
    await answer(post, agent, await opened(post))
    (claimed,) = await post.database.transaction(outbox.claim, "test")
    await post.database.transaction(outbox.record, claimed, Refused("no", code="no_such_mailbox"))
    assert (await post.row(tables.contact_point))["bounce_reason"] == "no_such_mailbox"


async def test_a_delay_is_said_on_the_message_and_forgotten_when_it_arrives(post: Scene) -> None:
    agent = await post.agent()
    entry_id = await answer(post, agent, await opened(post))
    delivery_id = (await sent(post)).message.delivery_id
    now = post.database.clock()
    await post.intake.accept(CHANNEL, [receipt(delivery_id, None, reason="greylisted", received_at=now)])
    entry = await post.row(tables.entry, id=entry_id)
    assert (entry["delivery"], entry["delivery_reason"]) == ("sent", "greylisted")
    await post.intake.accept(CHANNEL, [receipt(delivery_id, Delivery.DELIVERED, received_at=now)])
    entry = await post.row(tables.entry, id=entry_id)
    assert (entry["delivery"], entry["delivery_reason"]) == ("delivered", None)


async def test_a_complaint_is_told_in_the_timeline(post: Scene) -> None:
    agent = await post.agent()
    entry_id = await answer(post, agent, await opened(post))
    delivery_id = (await sent(post)).message.delivery_id
    complaint = receipt(delivery_id, None, is_complaint=True, received_at=post.database.clock())
    await post.intake.accept(CHANNEL, [complaint])
    assert (await post.row(tables.entry, id=entry_id))["delivery"] == "sent"
    (told,) = await post.rows(tables.entry, happening="complained")
    assert told["data"]["address"] == "ani@example.com"


async def test_a_message_that_is_paced_is_no_fault_of_the_channels(post: Scene, clock: FrozenClock) -> None:
    agent = await post.agent()
    await answer(post, agent, await opened(post))
    (claimed,) = await post.database.transaction(outbox.claim, "test")
    await post.database.transaction(
        outbox.record, claimed, Unavailable("later", code=outbox.PACED, retry_after_s=20, channel_works=True)
    )
    assert (await post.row(tables.channel, id=CHANNEL))["health"] == "ok"
    clock.advance(21)
    assert len(await post.database.transaction(outbox.claim, "test")) == 1


async def test_a_mail_to_thousands_makes_no_event_of_thousands(post: Scene) -> None:
    crowd = tuple(Mailbox(f"c{number}@example.com", f"Customer {number}") for number in range(2_000))
    media = tuple(Media("text/plain", f"{number}.txt", part=number) for number in range(1, 101))
    outcome = await take(post, arrival(to=crowd, cc=crowd, reply_to=crowd, media=media))
    assert outcome.entry_id is not None
    (told,) = [event for event in await post.events() if event.kind == "entry.added"]
    assert len(told.body) < 60_000
    assert len((await post.database.read(mails.load_whole, outcome.entry_id)).to) == 2_000


async def test_what_a_mail_says_of_the_one_it_quotes_is_the_same_at_every_attempt(
    post: Scene, clock: FrozenClock
) -> None:
    agent = await post.agent()
    await answer(post, agent, await opened(post))
    (first,) = await post.database.transaction(outbox.claim, "test")
    await post.set(tables.customer, {"language": "hy"})
    clock.advance(outbox.LEASE.total_seconds() + 1)
    (second,) = await post.database.transaction(outbox.claim, "test")
    assert first.message.mail == second.message.mail


async def test_a_long_subject_is_answered_with_a_shorter_one(post: Scene) -> None:
    agent = await post.agent()
    await answer(post, agent, await opened(post, subject="x" * 990))
    mail = (await sent(post)).message.mail
    assert mail is not None
    assert len(mail.subject) == mails.SUBJECT_LIMIT


async def test_a_view_of_a_mail_carries_its_head_and_not_its_body(post: Scene) -> None:
    outcome = await take(
        post,
        arrival(
            "Yes",
            html="<p>Yes</p>",
            spans=(Span(SpanKind.WRITTEN, "Yes\n"), Span(SpanKind.QUOTED, "> No?\n")),
            cc=(Mailbox("b@x.test", "B"),),
        ),
    )
    assert outcome.entry_id is not None
    view = (await post.database.read(conversations.load_entry, outcome.entry_id)).mail
    assert view is not None
    assert (view.has_html, view.has_more, view.has_raw) == (True, True, True)
    assert (view.senders, view.cc) == ((Mailbox("ani@example.com", "Ani"),), (Mailbox("b@x.test", "B"),))
    whole = await post.database.read(mails.load_whole, outcome.entry_id)
    assert [(span.kind, span.text) for span in whole.spans] == [("written", "Yes\n"), ("quoted", "> No?\n")]
