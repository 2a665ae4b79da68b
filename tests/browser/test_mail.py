"""Mails as people see and write them: a customer with a mailbox, an agent at the console, a mail server between them.

The customer's mails come to the hub by its webhook, its answers leave by SMTP to a server of this file; what a mail's HTML
loads from elsewhere would be seen by that server's other door.
"""

from __future__ import annotations

import base64
import http.server
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from playwright.sync_api import Locator, expect

from tests.browser.people import PATIENCE_MS, Agent, Complaints, NewPage, show
from tests.support.hub_process import HubProcess
from tests.support.postgres import find_free_port

pytestmark = pytest.mark.browser

SUPPORT = "support@beanhouse.test"
WEBHOOK_KEY = "the-key-of-the-webhook"
# Nothing can be run in the frame, not even by the one who drives the browser: what it shows is read on its way there.
IN_FRAME = re.compile(r"/mail/html\?")
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@dataclass
class Outside:
    """The world beyond the hub: mailboxes that are written to, and web servers that pictures come from."""

    mails: queue.Queue[tuple[list[str], EmailMessage]] = field(default_factory=queue.Queue)
    asked_for: list[str] = field(default_factory=list)
    smtp_port: int = 0
    web_url: str = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.put((envelope.rcpt_tos, mail))
        return "250 OK"

    def receive(self) -> tuple[list[str], EmailMessage]:
        """The next mail that reaches anybody: to whom, and what."""
        return self.mails.get(timeout=PATIENCE_MS / 1000)


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    world = Outside(smtp_port=find_free_port())

    class Pictures(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            world.asked_for.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/gif")
            self.end_headers()
            self.wfile.write(PIXEL)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    world.web_url = f"http://127.0.0.1:{web.server_port}"
    serving = threading.Thread(target=web.serve_forever)
    serving.start()
    mail = Controller(world, hostname="127.0.0.1", port=world.smtp_port)
    mail.start()
    yield world
    mail.stop()
    web.shutdown()
    serving.join()
    web.server_close()


@dataclass
class Correspondent:
    """Somebody who writes to us."""

    url: str
    address: str
    name: str

    def write(self, text: str, *, subject: str, html: str | None = None, **headers: str) -> str:
        """The Message-ID it went with."""
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"] = f"{self.name} <{self.address}>"
        mail["To"] = SUPPORT
        mail["Subject"] = subject
        mail["Message-ID"] = f"<{hash((text, subject)) & 0xFFFFFFFF:x}@{self.address.partition('@')[2]}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        if html is not None:
            mail.add_alternative(html, subtype="html")
        self.post(mail.as_bytes())
        return str(mail["Message-ID"])

    def post(self, raw: bytes) -> None:
        answer = httpx2.post(
            f"{self.url}/webhooks/mail/mime",
            content=raw,
            headers={"Content-Type": "message/rfc822"},
            auth=("mime", WEBHOOK_KEY),
            timeout=PATIENCE_MS / 1000,
        )
        answer.raise_for_status()


@pytest.fixture(scope="module")
def mail_hub(demo: HubProcess, outside: Outside) -> HubProcess:
    """The demo with a mail account."""
    account = {
        "id": "mail",
        "kind": "email",
        "name": "Support mail",
        "queue_id": 1,
        "settings": {
            "address": SUPPORT,
            "display_name": "Bean House",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(outside.smtp_port),
            "smtp_security": "none",
        },
        "secrets": {"webhook_key": WEBHOOK_KEY},
    }
    with httpx2.Client(base_url=f"{demo.url}/api/v1", timeout=PATIENCE_MS / 1000) as admin:
        session = (
            admin.post("/session", json={"email": "admin@demo.test", "password": "demo"}).raise_for_status().json()
        )
        made = admin.post("/channels", json=account, headers={"X-CSRF-Token": session["csrf_token"]})
        made.raise_for_status()
    return demo


def test_a_mail_is_read_looked_at_and_answered_to_all_after_a_second_thought(
    mail_hub: HubProcess, outside: Outside, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    aram = Correspondent(mail_hub.url, "aram@yeraz.test", "Aram")
    page = agent.page
    aram.write(
        "Two grinders are broken.",
        subject="Order 4711",
        html=f'<p>Two <b>grinders</b> are broken.</p><img src="{outside.web_url}/pixel.gif" width="40" height="40">',
        Cc="Nare <nare@yeraz.test>",
    )
    agent.accept("Two grinders are broken.")
    mail = agent.mail("Two grinders are broken.", "in")
    expect(mail.get_by_test_id("mail-subject")).to_have_text("Order 4711")
    expect(mail.get_by_test_id("mail-people")).to_contain_text("Cc Nare")
    expect(page.get_by_test_id("conversation-subject")).to_have_text("Order 4711")

    with page.expect_response(IN_FRAME) as shown:
        mail.get_by_test_id("mail-original").click()
    assert "<b>grinders</b>" in shown.value.text()
    expect(mail.get_by_test_id("mail-subject")).to_be_in_viewport()
    expect(mail.get_by_test_id("mail-pictures")).to_be_visible()
    assert outside.asked_for == []
    with page.expect_response(f"{outside.web_url}/pixel.gif"):
        mail.get_by_test_id("mail-pictures").click()
    assert outside.asked_for == ["/pixel.gif"]
    expect(mail.get_by_test_id("mail-pictures")).to_have_count(0)
    show(page, "mail-original")

    page.get_by_test_id("conversation-subject").click()
    page.keyboard.press("Shift+R")
    text = page.get_by_test_id("composer-text")
    expect(text).to_be_focused()
    expect(agent.recipients).to_have_text(["Aram", "Nare"])
    expect(page.get_by_test_id("mail-subject-input")).to_have_value("Re: Order 4711")
    page.keyboard.type("We send **two** new ones, see the attached note.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_test_id("mail-doubt")).to_contain_text("no file is attached")
    text.fill("We send **two** new ones.")
    text.press("Control+Enter")
    held = page.get_by_test_id("outgoing")
    expect(held).to_have_attribute("data-state", "held")
    show(page, "mail-held")
    page.get_by_test_id("undo-send").click()
    expect(text).to_have_value("We send **two** new ones.")
    expect(agent.recipients).to_have_text(["Aram", "Nare"])
    text.press("Control+Enter")
    held.get_by_test_id("send-now").click()

    recipients, answer = outside.receive()
    assert sorted(recipients) == ["aram@yeraz.test", "nare@yeraz.test"]
    assert answer["Subject"] == "Re: Order 4711"
    assert answer["In-Reply-To"].endswith("@yeraz.test>")
    body = answer.get_body(("plain",))
    assert body is not None
    assert "We send" in body.get_content()
    ours = agent.mail("We send two new ones.", "out")
    expect(ours.locator("strong", has_text="two")).to_have_count(1)
    expect(ours).to_have_attribute("data-delivery", "sent")
    assert outside.mails.empty()
    agent.resolve()


def test_what_a_mail_quotes_is_one_click_away(mail_hub: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    Correspondent(mail_hub.url, "nino@fosta.test", "Nino").write(
        "It came.\n\nOn 20 November 2026, Bean House wrote:\n> Your order is on its way.\n", subject="Re: Order 12"
    )
    agent.accept("It came.")
    mail = agent.mail("It came.", "in")
    expect(mail).not_to_contain_text("on its way")
    mail.get_by_test_id("mail-fold").click()
    expect(mail.get_by_test_id("mail-whole").locator(".quoted")).to_contain_text("Your order is on its way.")
    mail.get_by_test_id("mail-fold").click()
    expect(mail).not_to_contain_text("on its way")
    agent.resolve()


def test_a_mail_that_is_held_leaves_when_the_page_is_closed(
    mail_hub: HubProcess, outside: Outside, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    Correspondent(mail_hub.url, "tanya@poshta.test", "Тетяна").write("Де моє замовлення?", subject="Замовлення")
    agent.accept("Де моє замовлення?")
    agent.mail("Де моє замовлення?", "in")
    agent.answer("Завтра.")
    expect(agent.page.get_by_test_id("outgoing")).to_have_attribute("data-state", "held")
    agent.page.goto("about:blank")
    recipients, answer = outside.receive()
    assert recipients == ["tanya@poshta.test"]
    assert answer["Subject"] == "Re: Замовлення"
    agent.page.go_back()
    agent.mail("Завтра.", "out")
    expect(agent.page.get_by_test_id("outgoing")).to_have_count(0)
    assert outside.mails.empty()
    agent.resolve()


HOSTILE = """<script>parent.document.title='stolen'</script><img src=x onerror="top.document.title='stolen'">
<form action="{url}/steal"><input name=a><button>Go</button></form><a href="javascript:alert(1)">here</a>
<style>@import url({url}/style.css); body {{ background: url({url}/back.gif) }}</style>
<meta http-equiv="refresh" content="0;url={url}/away"><iframe src="{url}/frame"></iframe><p>Hello</p>"""


def test_a_hostile_mail_acts_nowhere_and_a_broken_one_is_shown_as_such(
    mail_hub: HubProcess, outside: Outside, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    page = agent.page
    asked_before = len(outside.asked_for)
    eve = Correspondent(mail_hub.url, "eve@evil.test", "<b>Eve</b>")
    eve.write("Hello", subject="<img src=x onerror=alert(1)>", html=HOSTILE.format(url=outside.web_url))
    agent.accept("Hello")
    mail = agent.mail("Hello", "in")
    expect(mail.get_by_test_id("mail-subject")).to_have_text("<img src=x onerror=alert(1)>")
    with page.expect_response(IN_FRAME) as shown:
        mail.get_by_test_id("mail-original").click()
    html = shown.value.text()
    assert "<p>Hello</p>" in html
    assert re.search(r"<script|<form|<iframe|<meta[^>]*refresh|javascript:|onerror|@import", html) is None
    sandbox = mail.get_by_test_id("mail-frame").get_attribute("sandbox") or ""
    assert "allow-scripts" not in sandbox
    assert "allow-same-origin" not in sandbox
    assert "stolen" not in page.title()
    assert len(outside.asked_for) == asked_before
    agent.resolve()

    parts = b"".join(b"--x\r\nContent-Type: text/plain\r\n\r\n%d\r\n" % number for number in range(3000))
    head = b"From: eve@evil.test\r\nTo: support@beanhouse.test\r\nSubject: Parts\r\nMessage-ID: <parts@evil.test>\r\n"
    eve.post(head + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n' + parts + b"--x--\r\n")
    page.get_by_test_id("offer-accept").click()
    expect(page.get_by_test_id("mail-fault")).to_contain_text("too many parts")
    show(page, "mail-broken")
    agent.resolve()


def test_what_was_said_is_printed_saved_and_goes_along_with_an_answer(
    mail_hub: HubProcess, outside: Outside, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    page = agent.page
    Correspondent(mail_hub.url, "lusine@yeraz.test", "Lusine").write("What did we agree on?", subject="Our agreement")
    agent.accept("What did we agree on?")
    page.get_by_test_id("composer-note").click()
    page.get_by_test_id("composer-text").fill("She always asks twice")
    page.keyboard.press("Control+Enter")
    expect(agent.entry("She always asks twice", "internal")).to_have_count(1)
    page.get_by_test_id("composer-reply").click()
    page.get_by_test_id("conversation-more").click()
    page.get_by_test_id("open-transcript").click()
    expect(page.get_by_test_id("transcript")).to_be_visible()
    show(page, "transcript")

    with page.expect_popup() as opening:
        page.get_by_test_id("transcript-print").click()
    paper = opening.value
    expect(paper.get_by_role("heading", level=1)).to_contain_text("with Lusine")
    expect(paper.get_by_text("What did we agree on?")).to_be_visible()
    expect(paper.get_by_text("She always asks twice")).to_have_count(0)
    show(paper, "transcript-paper")
    paper.close()

    page.get_by_test_id("transcript-notes").click()
    expect(page.get_by_test_id("transcript-attach")).to_be_disabled()
    with page.expect_download() as saving:
        page.get_by_test_id("transcript-save").click()
    assert "She always asks twice" in saving.value.path().read_text(encoding="utf-8")
    page.get_by_test_id("transcript-notes").click()

    page.get_by_test_id("transcript-attach").click()
    expect(page.get_by_test_id("transcript")).to_have_count(0)
    expect(page.get_by_test_id("composer-file")).to_have_count(1)
    page.get_by_test_id("composer-text").fill("Here it is, see the attached file.")
    page.keyboard.press("Control+Enter")
    page.get_by_test_id("outgoing").get_by_test_id("send-now").click()
    _, answer = outside.receive()
    (file,) = answer.iter_attachments()
    said = file.get_content()
    assert "    What did we agree on?" in said
    assert "She always asks twice" not in said
    agent.resolve()


def test_a_mail_is_begun_from_the_customers_card(mail_hub: HubProcess, outside: Outside, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    page = agent.page
    Correspondent(mail_hub.url, "maria@nova.test", "Maria").write("Do you have it again?", subject="Grinder")
    agent.accept("Do you have it again?")
    agent.mail("Do you have it again?", "in")
    page.locator(".contact", has_text="maria@nova.test").hover()
    page.get_by_test_id("mail-to-point").click()
    page.get_by_test_id("start-in-full").click()
    page.get_by_test_id("new-mail-subject").fill("Your grinder is back")
    # The demo has an account of its own.
    page.get_by_label("From").select_option("mail")
    page.get_by_test_id("new-mail-begin").click()
    expect(page.get_by_test_id("conversation-subject")).to_have_text("Your grinder is back")
    expect(page.get_by_test_id("mail-subject-input")).to_have_value("Your grinder is back")
    expect(page.get_by_test_id("composer-text")).to_be_focused()
    agent.answer("Come and see it.")
    page.get_by_test_id("send-now").click()
    recipients, mail = outside.receive()
    assert recipients == ["maria@nova.test"]
    assert mail["Subject"] == "Your grinder is back"
    assert mail["In-Reply-To"] is None
    assert re.fullmatch(r"/conversations/\d+", urlsplit(page.url).path)
    expect(page.get_by_test_id("row-subject").filter(has_text="Your grinder is back")).to_have_count(1)


def _top(mail: Locator) -> float:
    box = mail.bounding_box()
    assert box is not None
    return box["y"]


def test_conversations_that_run_into_each_other_are_headed_and_opened_at_their_own_newest_mail(
    mail_hub: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "admin@demo.test").sign_in(mail_hub.url)
    page = agent.page
    ani = Correspondent(mail_hub.url, "ani@sevan.test", "Ani")
    beans = ani.write("Do you have Ethiopian beans?", subject="Beans")
    grinder = ani.write("My grinder does not start.", subject="Grinder")
    html = "<p>More about <b>beans</b>.</p>" * 6
    ani.write("More about beans.", subject="Re: Beans", html=html, In_Reply_To=beans, References=beans)
    smell, html = "The grinder smells.\n" * 40, "<p>The grinder <b>smells</b>.</p>" * 40
    ani.write(smell, subject="Re: Grinder", html=html, In_Reply_To=grinder, References=grinder)

    page.get_by_role("tab", name="All open").click()
    page.get_by_test_id("conversation-row").filter(has_text="Beans").filter(has_text="Ani").click()
    expect(agent.mail("More about beans.", "in")).to_be_in_viewport(ratio=1)
    headings = page.get_by_test_id("timeline-heading")
    expect(headings).to_contain_text(["Beans", "Grinder", "Beans", "Grinder"])
    expect(agent.mail("More about beans.", "in")).not_to_have_class(re.compile("aside"))
    expect(agent.mail("The grinder smells.", "in")).to_have_class(re.compile("aside"))
    show(page, "mail-headings")
    top = _top(agent.mail("More about beans.", "in"))
    agent.mail("More about beans.", "in").get_by_test_id("mail-original").click()
    expect(page.get_by_test_id("mail-frame")).to_be_visible()
    # Its text is in the frame now, where nothing is looked for.
    assert _top(page.locator("article", has=page.get_by_test_id("mail-frame"))) == pytest.approx(top, abs=2)
    page.get_by_test_id("mail-original").and_(page.get_by_role("button", pressed=True)).click()

    page.get_by_test_id("conversation-row").filter(has_text="Grinder").filter(has_text="Ani").click()
    expect(agent.mail("The grinder smells.", "in")).not_to_have_class(re.compile("aside"))
    expect(agent.mail("The grinder smells.", "in")).to_be_in_viewport()
    expect(agent.mail("More about beans.", "in")).to_have_class(re.compile("aside"))
    agent.mail("The grinder smells.", "in").get_by_test_id("mail-original").click()
    expect(
        page.locator("article", has=page.get_by_test_id("mail-frame")).get_by_text("Ani", exact=True)
    ).to_be_in_viewport()
    agent.resolve()
    page.get_by_test_id("conversation-row").filter(has_text="Beans").filter(has_text="Ani").click()
    agent.resolve()


def test_a_draft_that_was_sent_from_another_tab_is_gone_in_the_first(
    mail_hub: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    # Who saves at the moment at which the other tab does is told that there is a newer one.
    complaints.is_refused = True
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(mail_hub.url).become_available()
    Correspondent(mail_hub.url, "lusine@ararat.test", "Lusine").write("When do you open?", subject="Hours")
    agent.accept("When do you open?")
    agent.page.get_by_test_id("composer-text").fill("At nine.")
    other = agent.page.context.new_page()
    other.goto(agent.page.url)
    field = other.get_by_test_id("composer-text")
    expect(field).to_have_value("At nine.")
    field.fill("At ten.")
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("At ten.")
    expect(other.get_by_test_id("draft-state")).to_have_attribute("data-state", "saved")
    expect(field).to_have_value("At ten.")  # whose save came first, too: what was typed last counts
    other.get_by_test_id("composer-send").click()
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("")
    other.get_by_test_id("undo-send").click()
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("At ten.")
    expect(field).to_have_value("At ten.")
    with other.expect_response(lambda response: response.request.method == "PUT" and response.url.endswith("/draft")):
        field.fill("")
    expect(agent.page.get_by_test_id("composer-text")).to_have_value("")
    agent.resolve()


def test_the_field_for_a_mail_is_made_larger_and_what_is_suggested_covers_nothing(
    mail_hub: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent", width=390, height=800), "agent1@demo.test").sign_in(mail_hub.url)
    agent.become_available()
    page = agent.page
    crowd = "Nare <nare@crowd.test>, Vahan <vahan@crowd.test>"
    Correspondent(mail_hub.url, "gor@crowd.test", "Gor").write("Hello all.", subject="Crowd", Cc=crowd)
    agent.accept("Hello all.")
    page.get_by_test_id("mail-ask-cc").click()
    suggestions = page.get_by_role("listbox")
    expect(suggestions.get_by_role("option")).to_have_count(2)
    place, fields = suggestions.bounding_box(), page.get_by_test_id("mail-head").bounding_box()
    assert place is not None
    assert fields is not None
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 390
    assert place["y"] + place["height"] <= fields["y"]
    page.keyboard.press("Escape")
    expect(suggestions).to_have_count(0)
    page.keyboard.type("nare")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(agent.recipients).to_have_text(["Gor", "Nare"])
    expect(suggestions).to_have_count(0)

    text = page.get_by_test_id("composer-text")
    before = text.bounding_box()
    page.keyboard.press("Alt+L")
    expect(page.get_by_test_id("composer-larger")).to_have_attribute("aria-pressed", "true")
    after = text.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"] + 150
    show(page, "mail-large")
    text.fill("Hello.")
    page.get_by_test_id("composer-send").click()
    expect(page.get_by_test_id("composer-larger")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_test_id("mail-cc")).to_have_count(0)
    page.get_by_test_id("send-now").click()
    agent.resolve()


def test_the_form_of_a_channel_shows_what_is_wrong_and_asks_before_it_throws_away(
    mail_hub: HubProcess, new_page: NewPage
) -> None:
    admin = Agent(new_page("admin"), "admin@demo.test").sign_in(mail_hub.url)
    page = admin.page
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{mail_hub.url}/admin/channels")
    page.get_by_test_id("add-channel").click()
    page.get_by_role("radio", name="E-mail").click()
    page.get_by_label("Name", exact=True).fill("Sales")
    page.get_by_label("Identifier").fill("Sales mail")
    page.get_by_label("Port", exact=True).last.fill("imap")
    page.get_by_test_id("channel-save").click()
    expect(page.get_by_test_id("channel-faults")).to_have_text("3 fields are wrong.")
    expect(page.get_by_label("Identifier")).to_be_focused()
    expect(page.get_by_label("Identifier")).to_be_in_viewport()
    show(page, "channel-faults")

    page.keyboard.press("Escape")
    expect(page.get_by_test_id("channel-leave")).to_be_visible()
    page.get_by_role("button", name="Keep editing").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Sales")
    page.keyboard.press("Escape")
    page.get_by_test_id("channel-throw-away").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_test_id("add-channel").click()
    expect(page.get_by_test_id("channel-form")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
