"""The path of the product, walked by people in real browsers on a real hub: what is written on one side is read on the
other, with ticks, through cuts and restarts, and nobody's text is ever more than text.

One demo serves all tests of the file; each has its own customers and agents. At the end of each, no page has complained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, Complaints, Handset, NewPage, Visitor, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser


Cut = AbstractContextManager[None]


# The word that all is well again stands for moments: it is written down when it comes, also while a test waits elsewhere.
_WRITE_DOWN = """() => {
  const page = document.documentElement;
  delete page.dataset.healed;
  const look = () => {
    const banner = document.querySelector('[data-testid="connection-banner"]');
    if (banner && banner.textContent.trim() === "Up to date") page.dataset.healed = "yes";
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@contextmanager
def said_to_be_healed(agent: Agent) -> Iterator[None]:
    agent.page.evaluate(_WRITE_DOWN)
    yield
    expect(agent.page.locator("html")).to_have_attribute("data-healed", "yes")
    expect(agent.banner).to_have_count(0)


@contextmanager
def line_cut(agent: Agent, complaints: Complaints) -> Iterator[None]:
    """The agent's own network is gone; everybody else's works."""
    complaints.is_cut = True
    with said_to_be_healed(agent):
        agent.page.context.set_offline(True)
        yield
        agent.page.context.set_offline(False)
    complaints.is_cut = False


@contextmanager
def hub_killed(demo: HubProcess, agent: Agent, complaints: Complaints) -> Iterator[None]:
    """kill -9, and everything is started again with the data as it lay."""
    complaints.is_cut = True
    with said_to_be_healed(agent):
        demo.kill()
        yield
        demo.start("--keep")
    complaints.is_cut = False


def test_a_text_is_offered_answered_and_delivered_and_cuts_heal_by_themselves(
    demo: HubProcess, new_page: NewPage, complaints: Complaints
) -> None:
    handset = Handset(new_page("handset"), "+37491000101").open(demo.url)
    agent = Agent(new_page("agent"), "agent1@demo.test").sign_in(demo.url).become_available()

    handset.write("Where is my parcel?")
    expect(agent.page.get_by_test_id("offer")).to_be_visible()
    show(agent.page, "offer")
    agent.accept("Where is my parcel?")
    agent.sees("Where is my parcel?")
    agent.answer("It leaves the house today.")
    handset.shows("It leaves the house today.")
    agent.sees_tick("It leaves the house today.", "delivered")

    with line_cut(agent, complaints):
        handset.write("And when is it here?")
        handset.has_sent("And when is it here?")
        expect(agent.banner).to_contain_text("You are offline")
        expect(agent.entry("And when is it here?", "in")).to_have_count(0)
        agent.answer("The day after tomorrow.")
        expect(agent.page.get_by_test_id("outgoing")).to_have_count(1)
        show(agent.page, "offline")
        handset.write("I am at home until noon.")
        # It comes before what waits for the agent's line.
        handset.has_sent("I am at home until noon.")
    agent.sees("I am at home until noon.")
    agent.sees_tick("The day after tomorrow.", "delivered")
    handset.shows("The day after tomorrow.")

    with hub_killed(demo, agent, complaints):
        expect(agent.banner).to_contain_text("Reconnecting")
        agent.answer("We come before noon.")
        expect(agent.page.get_by_test_id("outgoing")).to_have_count(1)
        show(agent.page, "reconnecting")
    agent.sees_tick("We come before noon.", "delivered")
    handset.shows("We come before noon.")
    handset.write("Thank you!")
    agent.sees("Thank you!")

    said = [
        "Where is my parcel?",
        "It leaves the house today.",
        "And when is it here?",
        "I am at home until noon.",
        "The day after tomorrow.",
        "We come before noon.",
        "Thank you!",
    ]
    expect(agent.texts).to_have_text(said)
    expect(handset.texts).to_have_count(len(said))
    assert sorted(text.strip() for text in handset.texts.all_inner_texts()) == sorted(said)
    agent.page.reload()
    agent.sees("Thank you!")
    expect(agent.texts).to_have_text(said)
    agent.resolve()


def test_a_visitor_of_the_shop_is_answered_and_comes_back_to_the_history(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)

    visitor.write("Do you grind for a jazzve?")
    expect(visitor.shows("Do you grind for a jazzve?", "in")).to_have_attribute("data-status", "sent")
    agent.accept("Do you grind for a jazzve?")
    agent.sees("Do you grind for a jazzve?")
    agent.answer("Of course, as fine as flour.")
    visitor.shows("Of course, as fine as flour.")
    # The chat is open in front of the visitor, so the answer was not only delivered but read.
    agent.sees_tick("Of course, as fine as flour.", "read")

    visitor.page.reload()
    visitor.page.get_by_test_id("chat-launcher").click()
    visitor.shows("Of course, as fine as flour.")
    visitor.write("Then two bags, please.")
    agent.sees("Then two bags, please.")
    said = ["Do you grind for a jazzve?", "Of course, as fine as flour.", "Then two bags, please."]
    expect(visitor.texts).to_have_text(said)
    expect(agent.texts).to_have_text(said)
    agent.resolve()


def test_one_person_on_sms_and_chat_is_one_timeline(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent4@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000303").open(demo.url)
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)

    handset.write("My grinder is broken.")
    agent.accept("My grinder is broken.")
    agent.sees("My grinder is broken.")
    visitor.write("Hello from the shop")
    agent.accept("Hello from the shop")
    agent.sees("Hello from the shop")
    expect(agent.texts).to_have_text(["Hello from the shop"])

    visitor.identify(name="Lilit", phone=handset.number)
    agent.sees("My grinder is broken.")
    agent.sees("Hello from the shop")
    expect(agent.texts).to_have_text(["My grinder is broken.", "Hello from the shop"])
    agent.answer("We know you, Lilit.")
    visitor.shows("We know you, Lilit.")
    expect(visitor.page.get_by_text("Aysel Quliyeva is with you")).to_be_visible()
    handset.write("So do I write here or there?")
    agent.sees("So do I write here or there?")
    expect(agent.texts).to_have_text(
        [
            "My grinder is broken.",
            "Hello from the shop",
            "We know you, Lilit.",
            "So do I write here or there?",
        ]
    )
    # What was said elsewhere is the agents' to see, not the visitor's.
    expect(visitor.texts).to_have_text(["Hello from the shop", "We know you, Lilit."])
    for text in ("We know you, Lilit.", "So do I write here or there?"):
        agent.page.get_by_test_id("conversation-row").filter(has_text=text).click()
        agent.resolve()


SCRIPT = "<script>document.title='stolen'</script><b>bold</b>"
IMAGE = "<img src=x onerror=\"document.title='stolen'\">"
LINK = "javascript:document.title='stolen'"


def test_markup_in_a_text_is_text_everywhere(demo: HubProcess, new_page: NewPage) -> None:
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    handset = Handset(new_page("handset"), "+37491000404").open(demo.url)
    visitor = Visitor(new_page("visitor", width=1100)).open(demo.url)
    pages = [agent.page, handset.page, visitor.page]

    handset.write(SCRIPT)
    agent.accept(SCRIPT)
    agent.sees(SCRIPT)
    handset.write(IMAGE)
    handset.write(LINK)
    agent.sees(IMAGE)
    agent.sees(LINK)
    agent.answer(IMAGE)
    handset.shows(IMAGE)

    visitor.write(SCRIPT + IMAGE)
    agent.accept(SCRIPT + IMAGE)
    agent.sees(SCRIPT + IMAGE)
    agent.answer(SCRIPT)
    visitor.shows(SCRIPT)
    visitor.identify(name="<i>Eve</i>", phone="+37491000405")
    expect(agent.page.get_by_test_id("customer-name")).to_have_text("<i>Eve</i>")

    for page in pages:
        assert "stolen" not in page.title()
        assert page.locator('img[src="x"], a[href^="javascript:"]').count() == 0


def test_a_page_that_opens_while_work_rings_rings_and_whoever_presses_a_tab_writes(
    demo: HubProcess, new_page: NewPage
) -> None:
    agent = Agent(new_page("agent"), "agent2@demo.test").sign_in(demo.url).become_available()
    page = agent.page
    Handset(new_page("handset"), "+37491000406").open(demo.url).write("Can it be exchanged?")
    offer = page.get_by_test_id("offer").filter(has_text="Can it be exchanged?")
    expect(offer).to_be_visible()
    page.reload()
    agent.accept("Can it be exchanged?")
    agent.sees("Can it be exchanged?")
    field = page.get_by_test_id("composer-text")
    # Keys that would do something to the conversation, were they not typed into the field.
    for tab, words in (("composer-note", "ie. ask the shop"), ("composer-reply", "ew, yes")):
        page.get_by_test_id(tab).click()
        expect(field).to_be_focused()
        page.keyboard.type(words)
        expect(field).to_have_value(words)
    page.keyboard.press("Control+Enter")
    agent.sees_tick("ew, yes", "delivered")
    agent.resolve()
