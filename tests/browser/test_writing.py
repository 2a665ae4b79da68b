"""What is written and not sent yet: kept at the hub, seen by whoever has the conversation next, sent at its time or taken
back."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.people import Agent, Handset, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


def is_saved(page: Page) -> None:
    expect(page.get_by_test_id("draft-state")).to_have_attribute("data-state", "saved")


def test_a_draft_is_on_every_device_and_with_the_colleague_who_has_the_conversation_next(
    demo: HubProcess, new_page: NewPage
) -> None:
    nare = Agent(new_page("nare"), "agent1@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000901").open(demo.url)
    handset.write("My order is late.")
    nare.accept("My order is late.")
    nare.sees("My order is late.")
    field = nare.page.get_by_test_id("composer-text")
    field.press_sequentially("We are looking into it")
    is_saved(nare.page)
    row = nare.page.get_by_test_id("conversation-row").filter(has_text="My order is late.")
    expect(row.get_by_test_id("draft-mark")).to_be_visible()
    show(nare.page, "draft-saved")

    # Another device of hers has it, and writes on.
    phone = Agent(new_page("phone", width=390, height=800), "agent1@demo.test").sign_in(demo.url)
    expect(phone.page.get_by_test_id("conversation-row").first).to_be_visible()
    phone.page.goto(nare.page.url)
    other = phone.page.get_by_test_id("composer-text")
    expect(other).to_have_value("We are looking into it")
    other.press_sequentially(", it left today")
    expect(field).to_have_value("We are looking into it, it left today")
    show(phone.page, "draft-phone")
    phone.page.goto("about:blank")

    bert = Agent(new_page("bert"), "agent2@demo.test").sign_in(demo.url)
    expect(bert.page.get_by_test_id("my-state")).to_be_visible()
    nare.page.get_by_test_id("transfer").click()
    bert_id = httpx_user(demo.url, "agent2@demo.test")
    nare.page.get_by_test_id(f"transfer-agent-{bert_id}").click()
    nare.page.get_by_test_id("transfer-submit").click()
    expect(nare.page.get_by_test_id("transfer-submit")).to_have_count(0)
    bert.page.goto(nare.page.url)
    bert.sees("My order is late.")
    begun = bert.page.get_by_test_id("draft-of-colleague")
    expect(begun).to_contain_text("began an answer")
    begun.get_by_test_id("draft-read").click()
    expect(begun.get_by_test_id("draft-words")).to_contain_text("it left today")
    show(bert.page, "draft-of-colleague")
    bert.page.get_by_test_id("timeline").focus()
    bert.page.keyboard.press("Shift+C")
    theirs = bert.page.get_by_test_id("composer-text")
    expect(theirs).to_have_value("We are looking into it, it left today")
    expect(theirs).to_be_focused()
    expect(begun).to_have_count(0)

    # Its author sees whose it is now, and loses nothing.
    nare.page.goto(bert.page.url)
    taken = nare.page.get_by_test_id("draft-taken")
    expect(taken).to_be_visible()
    show(nare.page, "draft-taken")
    taken.get_by_test_id("draft-write-on").click()
    expect(nare.page.get_by_test_id("composer-text")).to_have_value("We are looking into it, it left today")
    nare.page.get_by_test_id("composer-text").fill("")
    bert.page.keyboard.press("Enter")
    handset.shows("We are looking into it, it left today")
    expect(theirs).to_have_value("")
    bert.page.reload()
    bert.sees("My order is late.")
    expect(theirs).to_have_value("")
    bert.resolve()


def httpx_user(url: str, email: str) -> int:
    with httpx2.Client(base_url=f"{url}/api/v1") as admin:
        admin.post("/session", json={"email": "admin@demo.test", "password": "demo"}).raise_for_status()
        (found,) = [each["id"] for each in admin.get("/users").json()["items"] if each["email"] == email]
        return int(found)


def test_a_message_is_planned_changed_stopped_by_the_customers_words_and_sent(
    demo: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000902").open(demo.url)
    handset.write("When do you open tomorrow?")
    agent.accept("When do you open tomorrow?")
    agent.sees("When do you open tomorrow?")
    page = agent.page
    field = page.get_by_test_id("composer-text")
    field.press_sequentially("We are open now.")
    field.press("Alt+Enter")
    expect(page.get_by_test_id("send-later-form")).to_be_visible()
    show(page, "send-later")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.get_by_test_id("send-tomorrow").click()
    planned = page.get_by_test_id("planned")
    expect(planned).to_have_attribute("data-state", "waiting")
    expect(planned.get_by_test_id("planned-when")).to_contain_text("09:00")
    expect(field).to_have_value("")
    show(page, "planned")
    page.reload()
    expect(planned.get_by_test_id("planned-when")).to_contain_text("09:00")

    planned.get_by_test_id("planned-change").click()
    page.get_by_test_id("planned-text").fill("We open at nine.")
    own = datetime.now(UTC) + timedelta(days=3)
    page.get_by_test_id("send-own").fill(own.strftime("%Y-%m-%dT10:30"))
    page.get_by_test_id("send-own-save").click()
    expect(planned).to_contain_text("We open at nine.")
    expect(planned.get_by_test_id("planned-when")).to_contain_text("10:30")

    handset.write("Never mind, I found it.")
    expect(planned).to_have_attribute("data-state", "stopped")
    expect(planned.get_by_test_id("planned-why")).to_contain_text("The customer has written since")
    show(page, "planned-stopped")
    planned.get_by_test_id("planned-anyway").click()
    expect(planned).to_have_attribute("data-state", "waiting")
    planned.get_by_test_id("send-now").click()
    handset.shows("We open at nine.")
    expect(planned).to_have_count(0)
    expect(agent.entry("We open at nine.", "out")).to_have_count(1)

    field.fill("And one more thing.")
    page.get_by_test_id("send-later").click()
    page.get_by_test_id("send-hour").click()
    planned.get_by_test_id("planned-back").click()
    expect(planned).to_have_count(0)
    expect(field).to_have_value("And one more thing.")
    field.fill("")
    agent.resolve()


def test_a_text_is_taken_back_with_a_key_and_goes_by_itself_when_nobody_does(
    demo: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page = agent.page
    handset = Handset(new_page("handset"), "+37491000903").open(demo.url)
    page.goto(f"{demo.url}/account")
    with page.expect_response(lambda answer: answer.url.endswith("/me") and answer.request.method == "PATCH"):
        page.get_by_label(re.compile("Chats, SMS")).select_option("10")
    show(page, "undo-account")
    handset.write("Are you there?")
    agent.accept("Are you there?")
    agent.sees("Are you there?")
    field = page.get_by_test_id("composer-text")
    field.fill("Yes, we arre.")
    field.press("Enter")
    held = page.get_by_test_id("outgoing")
    expect(held).to_have_attribute("data-state", "held")
    show(page, "text-held")
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("z")
    expect(field).to_have_value("Yes, we arre.")
    expect(held).to_have_count(0)
    is_saved(page)
    field.fill("Yes, we are.")
    field.press("Enter")
    expect(held).to_have_attribute("data-state", "held")
    page.goto("about:blank")
    handset.shows("Yes, we are.")
    expect(handset.message("Yes, we arre.", "received")).to_have_count(0)


# One pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def picture(name: str) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": PNG}


def hand_over(page: Page, event: str, name: str) -> None:
    """A picture comes out of the clipboard ("paste") or off the desk ("drop") onto the writing field."""
    page.get_by_test_id("composer-text").evaluate(
        """(field, [event, name, bytes]) => {
            const carried = new DataTransfer();
            const content = Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0));
            carried.items.add(new File([content], name, { type: "image/png" }));
            const how = { bubbles: true, cancelable: true };
            field.dispatchEvent(
                event === "paste"
                    ? new ClipboardEvent("paste", { ...how, clipboardData: carried })
                    : new DragEvent("drop", { ...how, dataTransfer: carried }),
            );
        }""",
        [event, name, base64.b64encode(PNG).decode()],
    )


def test_files_of_a_note_stay_with_colleagues_and_those_of_the_answer_with_the_answer(
    demo: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()
    page = agent.page
    handset = Handset(new_page("handset"), "+37491000904").open(demo.url)
    handset.write("The cup came broken.")
    agent.accept("The cup came broken.")
    agent.sees("The cup came broken.")
    files = page.get_by_test_id("composer-file")
    page.get_by_test_id("composer-text").fill("This is a new one.")
    page.get_by_test_id("composer-picker").set_input_files(picture("new-cup.png"))
    expect(files).to_have_text(["new-cup.png"])

    page.get_by_test_id("timeline").focus()
    page.keyboard.press("n")
    expect(files).to_have_count(0)
    page.get_by_test_id("composer-text").fill("Third broken one from this box.")
    page.get_by_test_id("composer-picker").set_input_files(picture("chosen.png"))
    expect(files).to_have_count(1)
    hand_over(page, "paste", "pasted.png")
    expect(files).to_have_count(2)
    hand_over(page, "drop", "dropped.png")
    names = ["chosen.png", "pasted.png", "dropped.png"]
    expect(files).to_have_text(names)
    is_saved(page)
    show(page, "note-files-draft")

    # Each half is as it was after a reload.
    page.reload()
    agent.sees("The cup came broken.")
    expect(files).to_have_text(["new-cup.png"])
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("n")
    expect(files).to_have_text(names)
    page.get_by_test_id("composer-send").click()
    entry = page.get_by_test_id("entry").filter(has_text="Third broken one from this box.")
    expect(entry.get_by_test_id("picture")).to_have_count(3)
    expect(files).to_have_count(0)
    show(page, "note-files")

    colleague = new_page("supervisor")
    Agent(colleague, "supervisor@demo.test").sign_in(demo.url)
    expect(colleague.get_by_test_id("my-state")).to_be_visible()
    colleague.goto(page.url)
    theirs = colleague.get_by_test_id("entry").filter(has_text="Third broken one from this box.")
    expect(theirs.get_by_test_id("picture")).to_have_count(3)
    theirs.get_by_test_id("picture").first.click()
    opened = colleague.get_by_role("dialog").locator("img").first
    expect(opened).to_be_visible()
    assert opened.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1

    # The answer has its own file still, and the customer gets that one alone.
    page.get_by_test_id("timeline").focus()
    page.keyboard.press("r")
    expect(files).to_have_text(["new-cup.png"])
    page.get_by_test_id("composer-send").click()
    handset.shows("This is a new one.")
    expect(handset.page.get_by_test_id("handset-message")).to_have_count(2)
    expect(handset.page.get_by_test_id("handset-message").locator("img")).to_have_count(1)
    expect(handset.page.get_by_text("Third broken one")).to_have_count(0)
