"""What callers hear is written in the console: a small tree of steps, tried out on its telephone, refused where somebody
would get stuck, and given to a line."""

from __future__ import annotations

import io
import re
import wave

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Agent, Complaints, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


class MenuEditor:
    """An administrator at the page of one menu."""

    def __init__(self, page: Page, url: str) -> None:
        Agent(page, "admin@demo.test").sign_in(url)
        expect(page.get_by_test_id("my-state")).to_be_visible()
        self.page = page
        self._url = url

    def open(self, path: str) -> Page:
        self.page.goto(f"{self._url}/admin/{path}")
        return self.page

    def way(self, node: str, field: str) -> Locator:
        return self.page.locator(f'[data-way="{node}.{field}"]')

    def node(self, node: str) -> Locator:
        return self.page.locator(f'[data-flow-node="{node}"]')

    def card(self, node: str) -> Locator:
        """Without the steps below it."""
        return self.node(node).locator("> .card")

    def add(self, node: str, field: str, kind: str) -> None:
        self.way(node, field).get_by_test_id("flow-add").first.click()
        self.page.get_by_test_id(f"flow-add-{kind}").click()

    def go_to(self, node: str, field: str, name: str) -> None:
        self.way(node, field).get_by_test_id("flow-add").first.click()
        self.page.get_by_test_id("flow-go-to").filter(has_text=name).click()

    def say(self, node: str, text: str) -> None:
        self.card(node).get_by_test_id("flow-text").fill(text)

    def save(self) -> None:
        self.page.get_by_test_id("flow-save").click()


def sound() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(8_000))
    return written.getvalue()


def test_a_menu_is_built_refused_mended_tried_and_given_to_a_line(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    editor = MenuEditor(new_page("admin"), demo.url)
    page = editor.open("flows")
    expect(page.get_by_test_id("flow-row").filter(has_text="Main menu")).to_be_visible()
    page.get_by_test_id("add-flow").click()
    page.get_by_test_id("flow-name").fill("Night line")
    editor.add("", "start", "menu")
    editor.say("menu-1", "Press 1 for support, 2 to hear when we open.")
    editor.card("menu-1").get_by_test_id("flow-add-choice").click()
    editor.add("menu-1", "choices.0.to", "queue")
    editor.add("menu-1", "choices.1.to", "say")
    editor.say("say-1", "From nine to six.")
    editor.go_to("say-1", "next", "Menu")
    # Whoever presses nothing comes back to the very same menu: a caller who has put the telephone aside would stay for ever.
    editor.go_to("menu-1", "otherwise", "Message")
    editor.save()
    expect(editor.way("say-1", "next").get_by_test_id("flow-fault")).to_contain_text("in a circle")
    assert "status of 422" in complaints.said.pop()
    show(page, "flow-circle")

    editor.way("menu-1", "otherwise").get_by_role("button", name="Take the way out").last.click()
    editor.save()
    expect(editor.way("menu-1", "otherwise").get_by_test_id("flow-fault").last).to_contain_text("leads nowhere")
    assert "status of 422" in complaints.said.pop()
    editor.add("menu-1", "otherwise", "hang_up")
    expect(page.get_by_test_id("flow-fault")).to_have_count(0)

    phone = page.get_by_test_id("flow-preview")
    phone.get_by_test_id("flow-call").click()
    expect(phone.get_by_test_id("flow-step")).to_contain_text(["Press 1 for support"])
    phone.locator('[data-key="2"]').click()
    expect(phone.get_by_test_id("flow-step")).to_have_count(3)
    expect(phone.get_by_test_id("flow-heard")).to_contain_text("From nine to six.")
    expect(editor.node("menu-1")).to_have_class("node here")
    phone.get_by_test_id("flow-heard").press("1")
    expect(phone.get_by_test_id("flow-heard")).to_contain_text("Waits with music")
    show(page, "flow-tried")
    phone.get_by_test_id("flow-hang-up").click()
    phone.get_by_test_id("flow-call").click()
    expect(phone.get_by_test_id("flow-step")).to_contain_text(["Press 1 for support"])
    for _ in range(3):
        steps = phone.get_by_test_id("flow-step").count()
        phone.get_by_test_id("flow-silence").click()
        expect(phone.get_by_test_id("flow-step")).to_have_count(steps + 1)
    expect(phone.get_by_test_id("flow-heard")).to_contain_text("The call is over")

    editor.save()
    expect(page.get_by_role("heading", name="Night line")).to_be_visible()
    page.wait_for_url(re.compile(r"/admin/flows/\d+$"))
    page.reload()
    expect(editor.node("queue-1")).to_be_visible()

    editor.open("channels").get_by_role("button", name="Calls from the web").click()
    page.get_by_test_id("channel-flow").get_by_role("combobox").select_option(label="Night line")
    page.get_by_test_id("channel-save").click()
    expect(page.get_by_test_id("channel-form")).to_have_count(0)
    row = editor.open("flows").get_by_test_id("flow-row").filter(has_text="Night line")
    expect(row).to_contain_text("Calls from the web")
    row.get_by_role("link").click()
    page.get_by_test_id("flow-remove").click()
    page.get_by_test_id("flow-remove-sure").click()
    expect(page.get_by_test_id("flow-remove-refused")).to_contain_text("Calls from the web")
    assert "status of 409" in complaints.said.pop()


def test_a_step_is_put_before_another_moved_and_taken_back(demo: HubProcess, new_page: NewPage) -> None:
    editor = MenuEditor(new_page("admin"), demo.url)
    page = editor.open("flows/new?usual=1")
    page.get_by_test_id("flow-name").fill("Usual")
    expect(editor.node("menu-1")).to_be_visible()
    editor.card("menu-1").get_by_test_id("flow-more").click()
    page.get_by_test_id("flow-before-say").click()
    editor.say("say-1", "Good day.")
    expect(editor.way("say-1", "next").locator('[data-flow-node="menu-1"]')).to_be_visible()

    editor.card("menu-1").get_by_test_id("flow-open").click()
    choices = editor.card("menu-1").get_by_test_id("flow-choice")
    expect(choices.first).to_be_visible()
    before = choices.count()
    editor.card("menu-1").get_by_test_id("flow-add-choice").click()
    expect(choices).to_have_count(before + 1)
    newest = f"choices.{before}.to"
    expect(editor.way("menu-1", newest).get_by_test_id("flow-add")).to_be_visible()
    editor.card("queue-2").get_by_test_id("flow-more").click()
    page.get_by_test_id("flow-move-to").click()
    expect(editor.way("menu-1", newest).locator('[data-flow-node="queue-2"]')).to_be_visible()
    expect(editor.way("menu-1", "choices.1.to").get_by_test_id("flow-add")).to_be_visible()
    page.get_by_test_id("flow-undo").click()
    expect(editor.way("menu-1", "choices.1.to").locator('[data-flow-node="queue-2"]')).to_be_visible()

    editor.card("menu-1").get_by_test_id("flow-drop-choice").last.click()
    editor.card("menu-1").get_by_test_id("flow-more").click()
    page.get_by_test_id("flow-drop").click()
    expect(editor.node("menu-1")).to_have_count(0)
    page.get_by_test_id("flow-undo").click()
    expect(editor.node("menu-1")).to_be_visible()
    editor.save()
    expect(page.get_by_role("heading", name="Usual")).to_be_visible()


def test_a_sound_is_uploaded_played_and_kept_while_it_is_said(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    editor = MenuEditor(new_page("admin"), demo.url)
    page = editor.open("flows/new")
    page.get_by_test_id("flow-name").fill("Spoken")
    editor.add("", "start", "say")
    editor.add("say-1", "next", "hang_up")
    file = editor.card("say-1").get_by_test_id("flow-file")
    file.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"})
    expect(editor.card("say-1").get_by_role("alert")).to_contain_text("no sound that the hub can read")
    assert "status of 422" in complaints.said.pop()
    file.set_input_files({"name": "welcome.wav", "mimeType": "audio/wav", "buffer": sound()})
    expect(editor.card("say-1").get_by_label("Sound", exact=True)).not_to_have_value("0")
    with page.expect_response(lambda answer: "/sounds/" in answer.url and answer.url.endswith("/content")) as played:
        editor.card("say-1").get_by_test_id("flow-play").click()
    assert played.value.ok
    with page.expect_response(lambda answer: answer.url.endswith("/flows/try")) as tried:
        page.get_by_test_id("flow-call").click()
    assert tried.value.ok
    expect(page.get_by_test_id("flow-heard")).to_contain_text("welcome")
    editor.save()
    expect(page.get_by_role("heading", name="Spoken")).to_be_visible()
    row = editor.open("flows").get_by_test_id("sound-row").filter(has_text="welcome")
    expect(row).to_contain_text("Spoken")
    expect(row.get_by_test_id("sound-remove")).to_be_disabled()
