"""The customers' mail provider and the hub, mail by mail over real SMTP: what somebody writes arrives, the answer comes
back into its thread, and what goes wrong is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from hub.demo import seed
from hub.demo.house import DemoHouse
from hub.demo.letters import File
from hub.demo.people import CALLERS, CORRESPONDENTS, PEOPLE, Correspondent, Habit, dialogues_of
from hub.demo.post_office import HOST, Letter, PostOffice
from tests.demo.conftest import PATIENCE_S
from tests.demo.house import demo, free_port

pytestmark = pytest.mark.anyio

ANI, DAVIT = PEOPLE[0], PEOPLE[5]
FULL = next(person for person in CORRESPONDENTS if person.habit is Habit.FULL)
AWAY = next(person for person in CORRESPONDENTS if person.habit is Habit.AWAY)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent of the running demo, and the house around them."""

    house: DemoHouse
    url: str
    http: aiohttp.ClientSession
    csrf_token: str

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.url}/api/v1{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"X-CSRF-Token": self.csrf_token}
        async with self.http.post(f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()

    async def conversation(self, subject: str) -> Any:
        """The conversation about it, once there is one."""

        async def look() -> Any:
            page = await self.get("/conversations?status=open")
            return next((one for one in page["items"] if one["subject"] == subject), None)

        return await until(look)

    async def timeline(self, conversation_id: int) -> list[Any]:
        entries: list[Any] = (await self.get(f"/conversations/{conversation_id}/timeline"))["items"]
        return entries

    async def entry(self, conversation_id: int, fits: Callable[[Any], bool]) -> Any:
        """The newest entry that fits, once there is one."""

        async def look() -> Any:
            return next((entry for entry in reversed(await self.timeline(conversation_id)) if fits(entry)), None)

        return await until(look)


async def until(look: Callable[[], Any]) -> Any:
    """What `look` finds at last; the API rings no bell."""
    async with asyncio.timeout(10):
        while (found := await look()) is None:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.03)
    return found


async def arrival(office: PostOffice, owner: str, fits: Callable[[Letter], bool]) -> Letter:
    """The newest mail in that inbox that fits, once there is one."""
    async with asyncio.timeout(10):
        while True:
            changed = office.changed
            found = [each for each in office.box(owner) if each.folder == "inbox" and fits(each)]
            if found:
                return found[-1]
            await changed.wait()


async def fate(office: PostOffice, letter: Letter) -> str:
    async with asyncio.timeout(10):
        while True:
            changed = office.changed
            if letter.status != "sending":
                return letter.status
            await changed.wait()


def parsed(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


@asynccontextmanager
async def desk_in(sqlite_url: str, data_dir: Path, port: int) -> AsyncIterator[Desk]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        demo(sqlite_url, data_dir, port, quiet=True) as (_, house, url),
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        login = {"email": "agent1@demo.test", "password": seed.password()}
        async with http.post(f"{url}/api/v1/session", json=login) as answer:
            session = await answer.json()
        yield Desk(house, url, http, session["csrf_token"])


@pytest.fixture(scope="module")
async def desk(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One demo for all; each test writes about something of its own."""
    async with desk_in(module_sqlite_url, tmp_path_factory.mktemp("demo") / "data", free_port()) as desk:
        yield desk


def by_hand(letter: Letter) -> bool:
    return not letter.is_automatic and not letter.is_read


# --- there and back -----------------------------------------------------------------------------------------------------


async def test_a_mail_its_answer_and_the_answer_to_that_are_one_conversation(desk: Desk) -> None:
    office = desk.house.post_office
    files = [File("jazzve.png", "image/png", PNG), File("հաշիվ.pdf", "application/pdf", b"%PDF-1.4")]
    sent = office.write(ANI.email, to=seed.MAIL_ADDRESS, subject="Պատվեր 20417", text="Ե՞րբ կհասնի։", files=files)
    conversation = await desk.conversation("Պատվեր 20417")
    assert await fate(office, sent) == "sent"
    assert conversation["customer_name"] == ANI.name
    question = await desk.entry(conversation["id"], lambda entry: entry["direction"] == "in")
    assert question["text"] == "Ե՞րբ կհասնի։"
    assert [file["name"] for file in question["attachments"]] == ["jazzve.png", "հաշիվ.pdf"]

    await arrival(office, ANI.email, lambda letter: letter.is_automatic)
    await desk.post(f"/conversations/{conversation['id']}/messages", {"text": "Այսօր ժամը 15-ին։"})
    answer = await arrival(office, ANI.email, by_hand)
    mail = parsed(office.content(answer))
    assert mail["In-Reply-To"] == sent.message_id
    assert sent.message_id in mail["References"].split()
    assert mail["Subject"] == "Re: Պատվեր 20417"
    assert mail["Reply-To"].addresses[0].username.startswith("support+")
    assert mail["From"].addresses[0].addr_spec == seed.MAIL_ADDRESS
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert text.startswith("Այսօր ժամը 15-ին։")
    assert "Sevan Coffee, 14 Abovyan Street" in text
    assert "> Ե՞րբ կհասնի։" in text

    again = office.write(
        ANI.email,
        to=office.read(answer).reply_to[1],
        subject="Re: Պատվեր 20417",
        text="Շատ շնորհակալ եմ։",
        files=[File("նկար.png", "image/png", PNG)],
        answers=answer.id,
    )
    thanks = await desk.entry(
        conversation["id"], lambda entry: entry["direction"] == "in" and entry["id"] != question["id"]
    )
    # What stands quoted below is folded away.
    assert (thanks["text"], thanks["mail"]["has_more"]) == ("Շատ շնորհակալ եմ։", True)
    assert await fate(office, again) == "sent"
    assert parsed(office.content(again))["In-Reply-To"] == answer.message_id


async def test_mails_wait_while_the_hub_takes_none(desk: Desk) -> None:
    office = desk.house.post_office
    route = office.routes[seed.MAIL_DOMAIN]
    office.routes[seed.MAIL_DOMAIN] = ("127.0.0.1", free_port())
    sent = office.write(ANI.email, to=seed.MAIL_ADDRESS, subject="Waits", text="Hello")
    async with asyncio.timeout(10):
        while sent.attempts < 2:
            await office.changed.wait()
    assert sent.status == "sending"
    office.routes[seed.MAIL_DOMAIN] = route
    assert (await desk.conversation("Waits"))["customer_name"] == ANI.name


async def test_past_mails_lie_in_the_console_and_in_the_boxes(desk: Desk) -> None:
    page = await desk.get("/conversations?status=resolved&limit=100")
    past = next(one for one in page["items"] if one["subject"] == ANI.dialogues[0].subject)
    entries = [entry for entry in await desk.timeline(past["id"]) if entry["kind"] == "message"]
    assert [entry["text"] for entry in entries[::2]] == list(ANI.dialogues[0].lines)
    assert [entry["text"] for entry in entries[1::2]] == list(ANI.dialogues[0].replies)
    whole = [await desk.get(f"/entries/{entry['id']}/mail") for entry in entries]
    kept = {letter.message_id for letter in desk.house.post_office.box(ANI.email)}
    assert {f"<{mail['message_id']}>" for mail in whole} <= kept


# --- what goes wrong ----------------------------------------------------------------------------------------------------


async def test_a_full_box_sends_the_answer_back_to_message_and_address(desk: Desk) -> None:
    office = desk.house.post_office
    office.write(FULL.email, to=seed.MAIL_ADDRESS, subject="Invoice", text="Once more, please.")
    conversation = await desk.conversation("Invoice")
    sent = await desk.post(f"/conversations/{conversation['id']}/messages", {"text": "Here it is."})
    failed = await desk.entry(
        conversation["id"],
        lambda entry: entry["id"] == sent["id"] and entry["delivery"] and entry["delivery"]["state"] == "failed",
    )
    assert failed["delivery"]["reason"] == "mailbox_full"
    customer = (await desk.get(f"/customers/{conversation['customer_id']}"))["customer"]
    assert [point["bounced_at"] is not None for point in customer["contact_points"]] == [True]
    assert [each.folder for each in office.box(FULL.email)] == ["sent"]


async def test_a_note_of_somebody_away_comes_once_and_wakes_nobody(desk: Desk) -> None:
    office = desk.house.post_office
    office.write(AWAY.email, to=seed.MAIL_ADDRESS, subject="ბარათი", text="გამარჯობა")
    conversation = await desk.conversation("ბარათი")
    await arrival(office, AWAY.email, lambda letter: letter.is_automatic)
    for text in ("One", "Two"):
        await desk.post(f"/conversations/{conversation['id']}/messages", {"text": text})
        await arrival(office, AWAY.email, lambda letter, text=text: letter.snippet.startswith(text))  # type: ignore[misc]
    note = await desk.entry(conversation["id"], lambda entry: entry["mail"] and entry["mail"]["noise"] == "auto_reply")
    assert note["text"].startswith("გამარჯობა! შვებულებაში ვარ")
    now = await desk.get(f"/conversations/{conversation['id']}")
    assert (now["unanswered_since"], now["status"]) == (None, "open")
    assert sum(each.is_automatic for each in office.box(AWAY.email) if each.folder == "sent") == 1


async def test_a_mailbox_that_nobody_has_is_refused_at_once(desk: Desk) -> None:
    office = desk.house.post_office
    office.write(ANI.email, to=seed.MAIL_ADDRESS, subject="Forward", text="Hello")
    conversation = await desk.conversation("Forward")
    mail = {"kind": "new", "subject": "Hello", "to": [{"address": f"nobody@{HOST}", "name": ""}]}
    sent = await desk.post(f"/conversations/{conversation['id']}/messages", {"text": "Hello", "mail": mail})
    failed = await desk.entry(
        conversation["id"],
        lambda entry: entry["id"] == sent["id"] and entry["delivery"] and entry["delivery"]["state"] == "failed",
    )
    assert failed["delivery"]["reason"] == "no_such_mailbox"


async def test_whom_the_hub_does_not_know_the_writer_hears_of(desk: Desk) -> None:
    office = desk.house.post_office
    to_nobody = office.write(ANI.email, to=f"sales@{seed.MAIL_DOMAIN}", subject="?", text="Hello")
    to_nowhere = office.write(ANI.email, to="a@elsewhere.test", subject="?", text="Hello")
    assert [await fate(office, each) for each in (to_nobody, to_nowhere)] == ["failed", "failed"]
    assert "no such mailbox" in (to_nobody.problem or "")
    assert "no mail server" in (to_nowhere.problem or "")


# --- the provider alone -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(office: PostOffice) -> AsyncIterator[aiosmtplib.SMTP]:
    """A client that has said EHLO to it."""
    port = await office.open()
    task = asyncio.create_task(office.run())
    try:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            await client.ehlo()
            yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


PERSON = Correspondent("Ani", f"ani@{HOST}", "en")
OTHER = Correspondent("Tom", f"tom@{HOST}", "en")
CONTENT = b"From: a@shop.test\r\nSubject: Hi\r\nMessage-ID: <1@shop.test>\r\n\r\nHello\r\n"


async def test_it_offers_delivery_reports_and_relays_nothing() -> None:
    async with running(PostOffice([PERSON], routes={})) as client:
        assert client.supports_extension("dsn")
        await client.mail("a@shop.test", options=["RET=HDRS", "ENVID=abc+3D1"])
        answers = []
        for recipient in (f"nobody@{HOST}", "a@elsewhere.test"):
            with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
                await client.rcpt(recipient)
            answers.append((refused.value.code, refused.value.message[:5]))
        assert answers == [(550, "5.1.1"), (550, "5.7.1")]
        assert (await client.rcpt(PERSON.email.upper(), options=["NOTIFY=FAILURE,DELAY"])).code == 250


async def test_a_mail_that_was_sent_twice_lies_in_the_box_once() -> None:
    office = PostOffice([PERSON], routes={})
    async with running(office) as client:
        for _ in range(2):
            await client.sendmail("a@shop.test", [PERSON.email], CONTENT)
    assert [(each.subject, each.snippet) for each in office.box(PERSON.email)] == [("Hi", "Hello")]


async def test_a_mail_that_cannot_be_read_is_shown_as_it_came() -> None:
    office = PostOffice([PERSON], routes={})
    async with running(office) as client:
        await client.sendmail(
            "", [PERSON.email], b"From: <<<>\r\nContent-Type: ;;;=\r\nSubject: =?x?q?\xff?=\r\n\r\n\xff"
        )
    (letter,) = office.box(PERSON.email)
    assert office.read(letter).text


async def test_boxes_and_mails_on_their_way_outlive_a_restart(tmp_path: Path) -> None:
    journal = tmp_path / "post-office.jsonl"
    first = PostOffice([PERSON, OTHER], routes={"shop.test": None}, journal=journal, speed=20)
    async with running(first) as client:
        await client.sendmail("a@shop.test", [PERSON.email], CONTENT)
        waiting = first.write(PERSON.email, to="a@shop.test", subject="Waits", text="Hello")
        first.mark_read(first.box(PERSON.email)[0])
    second = PostOffice([PERSON, OTHER], routes={"shop.test": None}, journal=journal, speed=20)
    assert second.box(PERSON.email) == first.box(PERSON.email)
    assert second.content(second.letters[waiting.id]) == first.content(waiting)
    async with running(second):
        # Its own people are reached without a server of others.
        local = second.write(PERSON.email, to=OTHER.email, subject="Hi", text="Hello")
        assert await fate(second, local) == "sent"
        second.routes.clear()
        assert await fate(second, second.letters[waiting.id]) == "failed"
    assert [each.subject for each in second.box(OTHER.email)] == ["Hi"]


# --- the page's side ----------------------------------------------------------------------------------------------------


async def test_the_page_sees_a_mail_come_and_shows_it_in_a_frame_of_its_own(desk: Desk) -> None:
    boxes = f"{desk.url}/demo/post/boxes"
    office = desk.house.post_office
    async with desk.http.ws_connect(f"{boxes}/{DAVIT.email}/live") as live:
        whole = json.loads((await live.receive(timeout=PATIENCE_S)).data)
        past = len(office.box(DAVIT.email))
        assert (whole["whole"], len(whole["letters"])) == (True, past)
        office.write(ANI.email, to=DAVIT.email, subject="Hi", text="Look", files=[File("a.png", "image/png", PNG)])
        while not (frame := json.loads((await live.receive(timeout=PATIENCE_S)).data))["letters"]:
            pass
    (letter,) = frame["letters"]
    assert (letter["subject"], letter["is_read"], frame["unread"][DAVIT.email]) == ("Hi", False, 1)
    async with desk.http.get(f"{boxes}/{DAVIT.email}/letters/{letter['id']}") as answer:
        whole = await answer.json()
    assert (whole["text"], [part["name"] for part in whole["parts"]]) == ("Look\n", ["a.png"])
    async with desk.http.get(f"{boxes}/{DAVIT.email}/letters/{letter['id']}/html") as answer:
        page, policy_ = await answer.text(), answer.headers["Content-Security-Policy"]
    assert policy_.startswith("sandbox ")
    picture = f"{boxes}/{DAVIT.email.replace('@', '%40')}/letters/{letter['id']}/parts/{whole['parts'][0]['number']}"
    assert picture in page
    async with desk.http.get(picture) as answer:
        assert (answer.headers["Content-Type"], await answer.read()) == ("image/png", PNG)


@pytest.mark.parametrize("path", ["letters", "letters/1/read"])
async def test_pages_of_other_sites_write_no_mails(desk: Desk, path: str) -> None:
    wanted = {"to": seed.MAIL_ADDRESS, "subject": "", "text": "Hello"}
    url = f"{desk.url}/demo/post/boxes/{ANI.email}/{path}"
    async with desk.http.post(url, json=wanted, headers={"Origin": "https://elsewhere.test"}) as answer:
        assert answer.status == 403


async def test_what_is_wrong_with_a_mail_is_told_by_field(desk: Desk) -> None:
    url = f"{desk.url}/demo/post/boxes/{ANI.email}/letters"
    async with desk.http.post(url, json={"to": "nobody", "text": " "}) as answer:
        assert (answer.status, set((await answer.json())["fields"])) == (422, {"to", "text"})


# --- robots -------------------------------------------------------------------------------------------------------------


async def test_a_robot_corresponds_with_a_robot_agent(sqlite_url: str, tmp_path: Path, unused_port: int) -> None:
    async with demo(sqlite_url, tmp_path / "data", unused_port, quiet=False) as (_, house, _):
        assert house.robots is not None
        caller = CALLERS[-1]
        dialogue = dialogues_of("en")[1]
        async with asyncio.timeout(30):
            await house.robots.correspond(caller, dialogue)
        got = [each for each in house.post_office.box(caller.email) if each.folder == "inbox" and not each.is_automatic]
        assert [each.snippet.startswith(reply) for each, reply in zip(got, dialogue.replies, strict=True)] == [
            True,
            True,
        ]
