"""Mails over HTTP: taken from a provider, looked at closely by those who may, answered; nothing in them can act."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from hub.domain.values import ChannelKind, Role
from hub.store import tables
from hub.surveys import links
from hub.writing.planned import post_due
from tests.support.running_hub import MAIL_ADDRESS, Api, House, run_hub

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
Json = dict[str, Any]


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub")) as house:
        yield house


@dataclass
class Post:
    house: House
    nare: Api
    stranger: Api

    async def take(self, raw: bytes | EmailMessage) -> Json:
        """The customer's mail as the timeline shows it."""
        answer = await self.house.post_mail(raw if isinstance(raw, bytes) else raw.as_bytes())
        assert answer.status_code == 200, answer.text
        (view,) = (await self.nare.get("/conversations", limit=1)).json()["items"]
        page = (await self.nare.get(f"/conversations/{view['id']}/timeline")).json()
        entry: Json = [each for each in page["items"] if each["kind"] == "message"][-1]
        return entry

    async def answer(self, entry: Json, text: str = "Yes.", **mail: Any) -> httpx2.Response:
        body: Json = {"text": text} | ({"mail": mail} if mail else {})
        return await self.nare.post(f"/conversations/{entry['conversation_id']}/messages", body)


@pytest.fixture
async def post(running: House) -> Post:
    house = await running.empty()
    await house.channel("mail", ChannelKind.EMAIL)
    return Post(house, house.api(await house.person("Nare")), house.api(await house.person("Stranger", queue_ids=[])))


def mail(text: str = "Where is my order?", *, subject: str = "My order", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ani Sargsyan <ani@example.com>"
    message["To"] = f"Support <{MAIL_ADDRESS}>"
    message["Cc"] = "Boss <boss@example.com>"
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="example.com")
    message["Date"] = format_datetime(datetime(2026, 11, 25, 9, tzinfo=UTC))
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


# --- in -----------------------------------------------------------------------------------------------------------------


async def test_a_posted_mail_stands_in_the_timeline_with_its_head(post: Post) -> None:
    entry = await post.take(mail())
    assert entry["text"] == "Where is my order?"
    assert entry["author"]["name"] == "Ani Sargsyan"
    assert entry["mail"]["subject"] == "My order"
    assert entry["mail"]["cc"] == [{"address": "boss@example.com", "name": "Boss"}]
    (view,) = (await post.nare.get("/conversations")).json()["items"]
    assert (view["subject"], view["channel_kind"]) == ("My order", "email")


async def test_a_mail_with_a_wrong_password_is_refused_and_nothing_is_kept(post: Post) -> None:
    files = post.house.hub.settings.files_dir
    before = {path for path in files.rglob("*") if path.is_file()}
    answer = await post.house.post_mail(mail().as_bytes(), key="wrong-password")
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert (await post.nare.get("/conversations")).json()["items"] == []
    assert {path for path in files.rglob("*") if path.is_file()} == before


async def test_a_large_mail_is_taken_and_a_too_large_one_refused(post: Post) -> None:
    message = mail()
    message.add_attachment(b"x" * (2 << 20), maintype="application", subtype="octet-stream", filename="big.bin")
    entry = await post.take(message)
    assert [each["name"] for each in entry["attachments"]] == ["big.bin"]
    answer = await post.house.post_mail(b"Subject: x\r\n\r\n" + b"x" * (41 << 20))
    assert answer.status_code == 413


async def test_bytes_that_are_no_mail_are_kept_and_shown_as_such(post: Post) -> None:
    raw = b"\x00\x01\x02 this is no mail at all \xff\xfe"
    entry = await post.take(raw)
    assert entry["mail"]["has_raw"]
    kept = await post.nare.get(f"/entries/{entry['id']}/mail/raw")
    assert kept.content == raw


# --- looked at closely --------------------------------------------------------------------------------------------------


async def test_the_whole_text_is_told_apart(post: Post) -> None:
    text = "Yes please.\n\nOn Tue, 24 Nov 2026 at 10:12, Support <support@shop.test> wrote:\n> Shall we send it?\n"
    entry = await post.take(mail(text))
    assert entry["text"] == "Yes please."
    assert entry["mail"]["has_more"]
    detail = (await post.nare.get(f"/entries/{entry['id']}/mail")).json()
    assert [span["kind"] for span in detail["spans"]] == ["written", "quoted"]
    assert "Shall we send it?" in detail["spans"][1]["text"]
    assert detail["sent_at"] == "2026-11-25T09:00:00Z"


async def test_customers_survey_link_comes_back_on_no_agents_screen(post: Post) -> None:
    token = links.token_of(post.house.hub.vault, 12)
    url = f"https://hub.test/s/{token}"
    wrapped = f"https://safe.test/?url=https%3A%2F%2Fhub.test%2Fs%2F{token}%3Fscore%3D1"
    text = (
        f"It was awful: {url}\n\nOn Tue, 24 Nov 2026 at 10:12, Support <support@shop.test> wrote:\n> 5: {url}?score=5\n"
    )
    message = mail(text, html=f'<p>It was awful.</p><a href="{url}?score=5">5</a> <a href="{wrapped}">1</a>')
    message.add_attachment(mail(url), filename="yours.eml")
    entry = await post.take(message)
    sona = post.house.api(await post.house.person("Sona", Role.SUPERVISOR))
    (file,) = entry["attachments"]
    path = f"/entries/{entry['id']}/mail"
    shown = [str(entry), *[(await post.nare.get(each)).text for each in ("/conversations", path, f"{path}/html")]]
    assert [token.partition(".")[2] in each for each in shown] == [False] * 4
    assert "/s/12.…" in entry["text"]
    raws = [await each.get(f"{path}/raw") for each in (post.nare, sona)]
    assert [raw.status_code for raw in raws] == [403, 200]
    assert raws[0].json()["code"] == "survey_link"
    files = [await each.get(f"/attachments/{file['id']}/content") for each in (post.nare, sona)]
    assert [each.status_code for each in files] == [403, 200]


async def test_the_html_is_a_document_of_its_own_that_cannot_act(post: Post) -> None:
    html = '<p onclick="x()">Hi</p><script>alert(1)</script><img src="https://spy.test/a.png"><form action="/x"></form>'
    entry = await post.take(mail(html=html))
    answer = await post.nare.get(f"/entries/{entry['id']}/mail/html")
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "https:" not in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "<p>Hi</p>" in answer.text
    assert [word for word in ("<script", "onclick", "spy.test", "<form") if word in answer.text] == []


async def test_remote_pictures_are_shown_only_when_asked_for(post: Post) -> None:
    entry = await post.take(mail(html='<p>Hi</p><img src="https://pictures.test/a.png" width="90" height="90">'))
    assert (await post.nare.get(f"/entries/{entry['id']}/mail")).json()["remote_images"] == 1
    answer = await post.nare.get(f"/entries/{entry['id']}/mail/html", images="true")
    assert "https://pictures.test/a.png" in answer.text
    assert "https:" in answer.headers["content-security-policy"]


async def test_an_inline_picture_comes_from_our_own_address_for_a_while(post: Post) -> None:
    message = mail()
    message.add_alternative('<p>Look: <img src="cid:pic@x"></p>', subtype="html")
    parts = list(message.iter_parts())
    parts[-1].add_related(PNG, "image", "png", cid="<pic@x>", filename="look.png")
    entry = await post.take(message)
    await stored(post, entry)
    html = (await post.nare.get(f"/entries/{entry['id']}/mail/html")).text
    url = html.partition('src="')[2].partition('"')[0]
    assert url.startswith(post.house.url + "/files/")
    picture = await post.house.client.get(url)
    assert (picture.status_code, picture.content) == (200, PNG)
    assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
    assert (await post.house.client.get(url[:-2] + "xx")).status_code == 404
    late = url.rpartition("/")
    assert (await post.house.client.get(f"{late[0]}/9{late[2][1:]}")).status_code == 404


async def stored(post: Post, entry: Json) -> list[Json]:
    """The files of an entry, once all of them are taken out of the mail."""

    async with asyncio.timeout(20):
        while True:
            page = (await post.nare.get(f"/conversations/{entry['conversation_id']}/timeline")).json()
            files: list[Json] = next(each for each in page["items"] if each["id"] == entry["id"])["attachments"]
            if all(each["state"] != "fetching" for each in files):
                return files
            await asyncio.sleep(0.02)


async def test_a_file_is_taken_out_of_the_mail_as_it_was(post: Post) -> None:
    message = mail()
    message.add_attachment(b"a,b\r\n1,2\r\n", maintype="text", subtype="csv", filename="цены.csv")
    (file,) = await stored(post, await post.take(message))
    assert (file["name"], file["state"]) == ("цены.csv", "stored")
    content = await post.nare.get(file["url"].removeprefix("/api/v1"))
    assert content.content == b"a,b\r\n1,2\r\n"


async def test_the_message_is_downloaded_as_it_came(post: Post) -> None:
    raw = mail().as_bytes()
    entry = await post.take(raw)
    answer = await post.nare.get(f"/entries/{entry['id']}/mail/raw")
    assert answer.content == raw
    assert answer.headers["content-type"] == "message/rfc822"
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize("path", ["mail", "mail/html", "mail/raw"])
async def test_who_may_not_see_the_conversation_sees_nothing_of_its_mails(post: Post, path: str) -> None:
    entry = await post.take(mail(html="<p>secret</p>"))
    answer = await post.stranger.get(f"/entries/{entry['id']}/{path}")
    assert (answer.status_code, answer.json()["message"]) == (404, "there is no such entry")


@pytest.mark.parametrize("path", ["mail", "mail/html", "mail/raw"])
async def test_an_entry_that_is_no_mail_has_none(post: Post, path: str) -> None:
    await post.house.write("A text")
    (view,) = (await post.nare.get("/conversations")).json()["items"]
    (entry,) = (await post.nare.get(f"/conversations/{view['id']}/timeline")).json()["items"]
    assert entry["mail"] is None
    assert (await post.nare.get(f"/entries/{entry['id']}/{path}")).status_code == 404


# --- out ----------------------------------------------------------------------------------------------------------------


async def test_an_answer_says_to_whom_it_goes(post: Post) -> None:
    entry = await post.take(mail())
    answered = await post.answer(entry, cc=[{"address": "Boss@Example.com", "name": "Boss"}], subject="Re: It is here")
    assert answered.status_code == 201, answered.text
    told = answered.json()["mail"]
    assert told["to"] == [{"address": "ani@example.com", "name": "Ani Sargsyan"}]
    assert told["cc"] == [{"address": "boss@example.com", "name": "Boss"}]
    assert (told["kind"], told["subject"]) == ("reply", "Re: It is here")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"to": [{"address": "not an address"}]}, "mail.to"),
        ({"cc": [{"address": "a@b@c"}]}, "mail.cc"),
        ({"to": []}, "mail.to"),
        ({"kind": "forward"}, "mail.to"),
        ({"about_entry_id": 999_999}, "mail.about_entry_id"),
        ({"forwarded_attachment_ids": [999_999]}, "mail.forwarded_attachment_ids"),
        ({"subject": "x" * 501}, "mail.subject"),
    ],
)
async def test_a_fault_names_its_field_and_nothing_is_queued(post: Post, wrong: Json, field: str) -> None:
    entry = await post.take(mail())
    answer = await post.answer(entry, **wrong)
    assert answer.status_code == 422, answer.text
    assert list(answer.json()["fields"]) == [field]
    page = (await post.nare.get(f"/conversations/{entry['conversation_id']}/timeline")).json()
    assert [each["direction"] for each in page["items"] if each["kind"] == "message"] == ["in"]


async def test_only_a_conversation_by_mail_takes_a_mail(post: Post) -> None:
    await post.house.write("A text")
    (view,) = (await post.nare.get("/conversations")).json()["items"]
    answer = await post.nare.post(f"/conversations/{view['id']}/messages", {"text": "Hi", "mail": {"cc": []}})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["mail"])
    started = await post.nare.post(
        "/conversations",
        {"channel_id": "loop", "contact_point_id": view["contact_point_id"], "subject": "A subject"},
    )
    assert (started.status_code, list(started.json()["fields"])) == (422, ["subject"])


async def test_a_forward_takes_files_along_and_needs_no_words(post: Post) -> None:
    message = mail()
    message.add_attachment(PNG, maintype="image", subtype="png", filename="photo.png")
    entry = await post.take(message)
    (file,) = await stored(post, entry)
    forwarded = await post.answer(
        entry,
        "",
        kind="forward",
        to=[{"address": "depot@example.org"}],
        about_entry_id=entry["id"],
        forwarded_attachment_ids=[file["id"]],
    )
    assert forwarded.status_code == 201, forwarded.text
    (copy,) = forwarded.json()["attachments"]
    assert copy["name"] == "photo.png"
    assert copy["id"] != file["id"]


async def test_files_of_another_conversation_cannot_be_forwarded(post: Post) -> None:
    message = mail(subject="Secret")
    message.add_attachment(PNG, maintype="image", subtype="png", filename="secret.png")
    (file,) = await stored(post, await post.take(message))
    other = await post.take(mail(subject="Other"))
    answer = await post.answer(
        other, "x", kind="forward", to=[{"address": "a@b.test"}], forwarded_attachment_ids=[file["id"]]
    )
    assert answer.status_code == 422


async def test_signatures_are_kept(post: Post) -> None:
    me = await post.nare.patch("/me", {"signature": "Nare\nSupport"})
    assert me.json()["signature"] == "Nare\nSupport"


# --- later --------------------------------------------------------------------------------------------------------------


async def plan(post: Post, entry: Json, text: str = "Tomorrow.", **mail: Any) -> Json:
    send_at = (post.house.hub.database.clock() + timedelta(days=1)).isoformat()
    body = {"text": text, "send_at": send_at, "mail": mail}
    answer = await post.nare.post(f"/conversations/{entry['conversation_id']}/planned-messages", body)
    assert answer.status_code == 201, answer.text
    planned: Json = answer.json()
    return planned


async def alter(post: Post, planned: Json, **values: Any) -> None:
    """As the row would not be but for time, and what happens in it."""
    table = tables.planned_message
    await post.house.hub.database.transaction(
        lambda tx: tx.execute(update(table).where(table.c.id == planned["id"]).values(**values))
    )


async def in_language(post: Post, language: str, path: str, method: str = "GET") -> httpx2.Response:
    return await post.nare.request(method, path, headers={"accept-language": language})


NOBODY: Json = {
    **{"kind": "reply", "everybody": False, "subject": None, "cc": [], "bcc": [], "about_entry_id": None},
    **{"to": [["nobody", ""]], "quote": True, "forwarded_attachment_ids": []},
}


async def test_why_a_mail_did_not_leave_is_told_in_the_readers_language(post: Post) -> None:
    planned = await plan(post, await post.take(mail()))
    database = post.house.hub.database
    await alter(post, planned, mail=NOBODY, send_at=database.clock())
    await database.transaction(post_due, planned["id"])
    where = f"/conversations/{planned['conversation_id']}/writing"

    async def told(language: str) -> set[tuple[str, str]]:
        answers = [await in_language(post, language, path) for path in (where, "/me/planned-messages")]
        one = await in_language(post, language, f"/planned-messages/{planned['id']}")
        found = [answers[0].json()["planned"][0], answers[1].json()["items"][0], one.json()]
        return {(each["reason"], each["detail"]) for each in found}

    assert await told("en") == {("mail_faulty", "nobody is not an e-mail address")}
    assert await told("hy") == {("mail_faulty", "nobody՝ էլ. փոստի հասցե չէ")}
    refused = await in_language(post, "hy", f"/planned-messages/{planned['id']}/send", "POST")
    assert (refused.status_code, refused.json()["fields"]) == (409, {"detail": "nobody՝ էլ. փոստի հասցե չէ"})
    bodies = select(tables.event.c.body).where(tables.event.c.kind == "planned.changed").order_by(tables.event.c.seq)
    stopped = (await database.read(lambda tx: [row.body for row in tx.rows(bodies)]))[-1]
    assert json.loads(stopped)["planned"]["detail"] == "nobody is not an e-mail address", "to all alike"
    assert (await post.stranger.get(f"/planned-messages/{planned['id']}")).status_code == 404
    # Of before sentences were kept, and what others said, which may look like anything.
    for text in ("mailbox full", '{"error": "full"}', "{not json"):
        await alter(post, planned, detail=text)
        assert await told("hy") == {("mail_faulty", text)}
