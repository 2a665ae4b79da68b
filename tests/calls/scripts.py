"""Calls, scripted: what customers and agents do, and what must come of it, on whatever line.

Each is a sentence. `scripted("dials")` names what a line must be able to do for it (stage.Line).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.domain.values import Role
from hub.store import tables
from tests.calls.stage import CUSTOMER, Agent, Caller, Script, Scripted, Stage
from tests.support.running_hub import Json

SCRIPTS: dict[str, Scripted] = {}
OTHER, OUTSIDE = "+37499111222", "+37410555777"


def scripted(*needs: str) -> Callable[[Script], Script]:
    def keep(script: Script) -> Script:
        SCRIPTS[script.__name__] = Scripted(script, frozenset(needs))
        return script

    return keep


async def finish(stage: Stage, caller: Caller, agent: Agent, call: Json) -> None:
    """The caller hangs up, the agent writes it up, and nothing is left."""
    await caller.hang_up()
    await agent.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


# --- a call comes in ------------------------------------------------------------------------------------------------------


@scripted()
async def a_call_is_taken_talked_through_and_written_up(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await caller.hears("voices")
    await stage.forward(20)
    await caller.hang_up()
    await arpi.wraps_up(call, note="Wants beans")
    row = await stage.until_over(call, "completed")
    assert row["answered_at"] is not None
    assert "call" in await stage.happenings(call)
    assert (await stage.conversation(call))["status"] == "resolved"
    await stage.nothing_is_left()


@scripted()
async def the_agent_hangs_up(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "hang_up")
    await caller.is_over()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


@scripted()
async def the_customer_is_asked_for_a_score_when_the_agent_has_hung_up(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await stage.ask_for_scores()
    await arpi.does(call, "hang_up")
    await caller.hears("How satisfied are you")
    await caller.press("4")
    await caller.is_over()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    assert [(each["state"], each["score"]) for each in await stage.rows(tables.survey)] == [("answered", 4)]
    await stage.nothing_is_left()


@scripted("puts_down")
async def the_agents_line_is_put_down_and_the_caller_is_not_left_alone(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await stage.line.agent_hangs_up(arpi)
    await caller.is_over()
    await arpi.wraps_up(call)
    await stage.nothing_is_left()


@scripted()
async def the_caller_waits_with_music_until_somebody_is_there(stage: Stage) -> None:
    caller = await stage.call()
    await caller.hears("Please stay on the line")
    await caller.hears("music")
    call = await stage.the_call()
    await stage.until_state(call, "queued")
    arpi = await stage.agent("Arpi")
    await arpi.answers()
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted()
async def two_callers_are_taken_in_their_order(stage: Stage) -> None:
    first = await stage.call()
    one = await stage.the_call()
    await stage.until_state(one, "queued")
    second = await stage.call(OTHER)
    await second.hears("music")
    arpi = await stage.agent("Arpi")
    taken = await arpi.answers()
    assert taken["id"] == one["id"]
    await stage.hear_each_other(first, arpi)
    await first.hang_up()
    await arpi.wraps_up(one)
    two = await arpi.answers()
    await stage.hear_each_other(second, arpi)
    await finish(stage, second, arpi, two)


@scripted()
async def the_same_number_calls_again_after_its_call(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await caller.hang_up()
    await arpi.wraps_up(call)
    again = await stage.call()
    second = await arpi.answers()
    assert second["id"] != call["id"]
    await stage.hear_each_other(again, arpi)
    await finish(stage, again, arpi, second)


# --- offers ---------------------------------------------------------------------------------------------------------------


@scripted()
async def a_declined_call_rings_at_somebody_else(stage: Stage) -> None:
    arpi, eka = await stage.agent("Arpi"), await stage.agent("Eka")
    caller = await stage.call()
    call = await stage.the_call()
    await stage.until_state(call, "offered")
    offer = (await stage.rows(tables.offer))[-1]
    refuser, taker = (arpi, eka) if offer["agent_id"] == arpi.id else (eka, arpi)
    await refuser.declines()
    await taker.answers()
    await stage.hear_each_other(caller, taker)
    await finish(stage, caller, taker, call)


@scripted()
async def a_call_that_rings_out_waits_on_at_its_old_age(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    caller = await stage.call()
    await arpi.offer()
    call = await stage.the_call()
    queued_at = (await stage.row(call))["queued_at"]
    eka = await stage.agent("Eka")
    await stage.forward(26)
    await eka.answers()
    assert (await stage.row(call))["queued_at"] == queued_at
    await stage.hear_each_other(caller, eka)
    await finish(stage, caller, eka, call)


@scripted()
async def the_caller_leaves_while_it_rings(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    caller = await stage.call()
    offer = await arpi.offer()
    await caller.hang_up()
    call = await stage.the_call()
    await stage.until_over(call, "abandoned")
    await stage.is_free(arpi)
    (ended,) = [each for each in await stage.rows(tables.offer) if each["id"] == offer["id"]]
    assert ended["outcome"] == "customer_left"
    await stage.nothing_is_left()


@scripted()
async def the_caller_leaves_while_the_agents_line_is_set_up(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    await stage.line.agent_picks_up_never(arpi)
    caller = await stage.call()
    call = await arpi.accepts()
    await stage.until_state(call, "connecting")
    await caller.hang_up()
    await stage.until_over(call)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


@scripted()
async def an_agents_line_that_does_not_stand_gives_the_caller_to_another(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    await stage.line.agent_picks_up_never(arpi)
    caller = await stage.call()
    call = await arpi.accepts()
    await stage.until_state(call, "connecting")
    await caller.hears("music")
    eka = await stage.agent("Eka")
    await stage.forward(31)
    await eka.answers()
    await stage.hear_each_other(caller, eka)
    await stage.is_free(arpi)
    await finish(stage, caller, eka, call)


@scripted()
async def two_cannot_take_one_call(stage: Stage) -> None:
    arpi, eka = await stage.agent("Arpi"), await stage.agent("Eka")
    caller = await stage.call()
    await stage.until_state(await stage.the_call(), "offered")
    offer = (await stage.rows(tables.offer))[-1]
    taker, other = (arpi, eka) if offer["agent_id"] == arpi.id else (eka, arpi)
    assert await other.refused(f"/offers/{offer['id']}/accept", {}) in ("not_found", "not_yours", "forbidden")
    call = await taker.answers()
    assert await other.refused(f"/calls/{call['id']}/hold", {"held": True}) in ("forbidden", "not_found")
    await stage.hear_each_other(caller, taker)
    await finish(stage, caller, taker, call)


# --- leaving --------------------------------------------------------------------------------------------------------------


@scripted()
async def who_hangs_up_at_once_is_not_called_back(stage: Stage) -> None:
    caller = await stage.call()
    await caller.hears("Please stay on the line")
    await caller.hang_up()
    call = await stage.the_call()
    await stage.until_over(call, "abandoned")
    assert (await stage.conversation(call))["callback"] is None
    await stage.nothing_is_left()


@scripted("dials")
async def who_waited_and_left_is_called_back_at_the_old_place(stage: Stage) -> None:
    caller = await stage.call()
    await caller.hears("music")
    call = await stage.the_call()
    await stage.until_state(call, "queued")
    await stage.forward(40)
    await caller.hang_up()
    await stage.until_over(call, "abandoned")
    conversation = await stage.conversation(call)
    assert conversation["callback"] is not None
    assert conversation["queued_since"] is not None
    await stage.nothing_is_left()


@scripted("dials")
async def a_key_while_waiting_asks_for_a_callback_and_it_reaches_the_customer(stage: Stage) -> None:
    await stage.set_queue(offers_callback=True)
    caller = await stage.call()
    await caller.hears("Press 1 if we shall call you back")
    await caller.press("1")
    await caller.hears("We will call you back")
    await caller.is_over()
    first = await stage.the_call()
    await stage.until_over(first, "callback")
    arpi = await stage.agent("Arpi")
    offer = await arpi.offer()
    await arpi.request("POST", f"/offers/{offer['id']}/accept", {})
    call = await arpi.request("POST", "/calls", {"conversation_id": offer["conversation_id"]})
    await arpi.connects(call)
    customer = await stage.line.rung(CUSTOMER)
    await stage.until_state(call, "talking")
    await stage.hear_each_other(customer, arpi)
    await customer.hang_up()
    await arpi.wraps_up(call)
    conversation = await stage.conversation(call)
    assert conversation["status"] == "resolved"
    await stage.nothing_is_left()


@scripted("dials")
async def a_withheld_number_cannot_be_called_back_and_is_told_so(stage: Stage) -> None:
    await stage.set_queue(offers_callback=True)
    caller = await stage.call("")
    await caller.hears("music")
    arpi = await stage.agent("Arpi")
    call = await arpi.answers()
    await stage.hear_each_other(caller, arpi)
    assert (await stage.row(call))["address"] == ""
    await finish(stage, caller, arpi, call)


# --- menu -----------------------------------------------------------------------------------------------------------------


def said(text: str) -> list[Json]:
    return [{"text": text, "language": "en"}]


def choice(key: str, to: str, label: str = "", *words: str) -> Json:
    return {"key": key, "to": to, "label": label, "words": list(words)}


async def lay_menu(stage: Stage, **more: Any) -> int:
    """1 sales, 2 support, 3 a message, 4 a callback, 5 a number outside; nothing chosen: support. The queue of sales."""
    sales = await stage.house.queue("Sales")
    choices = [
        choice("1", "sales", "Sales", "sales", "buy"),
        choice("2", "support", "Support", "help"),
        choice("3", "message", "Message"),
        choice("4", "callback", "Callback"),
        choice("5", "outside", "Outside"),
    ]
    nodes: Json = {
        "menu": {
            "kind": "menu",
            "said": said("One for sales, two for support."),
            "choices": choices,
            "otherwise": "support",
            "tries": 2,
            "timeout_s": 5,
        },
        "sales": {"kind": "queue", "queue_id": sales, "said": said("Sales it is.")},
        "support": {"kind": "queue", "queue_id": stage.house.queue_id, "said": []},
        "message": {"kind": "voicemail", "said": said("Speak after the tone."), "limit_s": 60},
        "callback": {"kind": "callback", "said": [], "otherwise": "support"},
        "outside": {
            "kind": "number",
            "number": OUTSIDE,
            "said": said("We put you through."),
            "ring_s": 20,
            "otherwise": "support",
        },
    }
    await stage.use_flow(nodes | more)
    return sales


@scripted()
async def a_key_in_the_menu_chooses_the_queue(stage: Stage) -> None:
    sales = await lay_menu(stage)
    seller = await stage.agent("Seller", queue_ids=[sales])
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("1")
    call = await seller.answers()
    await stage.hear_each_other(caller, seller)
    row = await stage.row(call)
    assert row["queue_id"] == sales
    assert (await stage.view(call))["chosen"] == ["Sales"]
    await finish(stage, caller, seller, call)


@scripted("hears_words")
async def a_word_in_the_menu_chooses_too(stage: Stage) -> None:
    sales = await lay_menu(stage)
    seller = await stage.agent("Seller", queue_ids=[sales])
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.say("I want to buy something")
    call = await seller.answers()
    await stage.hear_each_other(caller, seller)
    assert (await stage.row(call))["queue_id"] == sales
    await finish(stage, caller, seller, call)


@scripted()
async def a_wrong_key_is_said_to_be_wrong_and_silence_leads_on(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("9")
    await caller.hears("One for sales")
    call = await stage.the_call()
    await stage.forward(30)
    await stage.until_state(call, "queued")
    assert (await stage.row(call))["queue_id"] == stage.house.queue_id
    await caller.hang_up()
    await stage.until_over(call, "abandoned")
    await stage.nothing_is_left()


@scripted()
async def who_leaves_in_the_menu_wanted_nothing(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.hang_up()
    call = await stage.the_call()
    await stage.until_over(call, "left_menu")
    assert (await stage.conversation(call))["status"] == "resolved"
    await stage.nothing_is_left()


@scripted()
async def a_message_after_the_tone_is_work(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("3")
    await caller.hears("Speak after the tone")
    await caller.say("Please call me about my order, it has not come for two weeks now")
    await caller.press("#")
    await caller.hears("Your message has been saved")
    await caller.is_over()
    call = await stage.the_call()
    await stage.until_over(call, "voicemail")
    conversation = await stage.conversation(call)
    assert conversation["status"] == "open"
    assert conversation["unanswered_since"] is not None
    assert (await stage.kept_recording())["kind"] == "voicemail"
    await stage.nothing_is_left()


@scripted()
async def who_hangs_up_after_their_message_has_left_it(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("3")
    await caller.hears("Speak after the tone")
    await caller.say("Please call me about my order")
    await stage.forward(3)
    await caller.hang_up()
    call = await stage.the_call()
    await stage.until_over(call, "voicemail")
    assert (await stage.conversation(call))["status"] == "open"
    await stage.nothing_is_left()


@scripted()
async def silence_after_the_tone_is_no_message(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("3")
    await caller.hears("Speak after the tone")
    await stage.forward(30)
    call = await stage.the_call()
    await stage.until_over(call, "no_message")
    await stage.nothing_is_left()


@scripted("dials")
async def the_menu_takes_a_callback(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("4")
    await caller.hears("We will call you back")
    await caller.is_over()
    call = await stage.the_call()
    await stage.until_over(call, "callback")
    assert (await stage.conversation(call))["callback"] is not None
    await stage.nothing_is_left()


@scripted("dials")
async def the_menu_leads_to_a_number_outside(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("5")
    outside = await stage.line.rung(OUTSIDE)
    await stage.hear_each_other(caller, outside)
    call = await stage.the_call()
    assert (await stage.row(call))["state"] == "forwarded"
    await outside.hang_up()
    await caller.is_over()
    await stage.until_over(call, "forwarded")
    await stage.nothing_is_left()


@scripted("dials")
async def a_number_outside_that_is_busy_leads_on_in_the_menu(stage: Stage) -> None:
    await lay_menu(stage)
    caller = await stage.call()
    await caller.hears("One for sales")
    await caller.press("5")
    await stage.line.rung(OUTSIDE, "busy")
    call = await stage.the_call()
    await stage.until_state(call, "queued")
    await caller.hears("Please stay on the line")
    await caller.hang_up()
    await stage.until_over(call, "abandoned")
    await stage.nothing_is_left()


# --- in the talk ----------------------------------------------------------------------------------------------------------


@scripted()
async def on_hold_the_customer_hears_music_and_nobody_hears_them(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    for _ in range(2):
        await arpi.does(call, "hold", held=True)
        await caller.hears("music")
        await stage.hears_only(caller)
        await stage.hears_only(arpi)
        assert (await stage.row(call))["state"] == "held"
        await arpi.does(call, "hold", held=False)
        await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted()
async def who_leaves_on_hold_has_talked(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "hold", held=True)
    await caller.hears("music")
    await finish(stage, caller, arpi, call)


@scripted()
async def a_muted_agent_hears_and_is_not_heard(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "mute", muted=True)
    await stage.hears_only(caller)
    await stage.hears_only(arpi, "caller")
    await arpi.does(call, "mute", muted=False)
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted()
async def a_recorded_call_is_paused_and_its_recording_comes(stage: Stage) -> None:
    await stage.set_queue(records_calls=True)
    _, arpi, call = await stage.talk()

    async def is_applied(wanted: str) -> None:
        async def so() -> bool:
            return bool((await stage.row(call))["recording_applied"] == wanted)

        await stage.until(so, f"the recording is {wanted}")

    await is_applied("on")
    await stage.forward(10)
    await arpi.does(call, "recording", recording="paused")
    await is_applied("paused")
    await stage.forward(30)
    await arpi.does(call, "recording", recording="on")
    await is_applied("on")
    await stage.forward(5)
    await arpi.does(call, "hang_up")
    await arpi.wraps_up(call)

    recording = await stage.kept_recording()
    assert (recording["call_id"], recording["kind"], recording["channels"]) == (call["id"], "call", 2)
    assert 14 <= recording["duration_s"] < 30
    heard = await stage.house.api(arpi.person).get(f"/recordings/{recording['id']}/content")
    assert (heard.status_code, len(heard.content)) == (200, recording["size_bytes"])
    await stage.nothing_is_left()


@scripted()
async def the_wrap_up_ends_by_itself(stage: Stage) -> None:
    await stage.set_queue(wrap_up_s=30)
    caller, arpi, call = await stage.talk()
    await caller.hang_up()
    await stage.until_state(call, "wrap_up")
    await stage.forward(31)
    await stage.until_over(call, "completed")
    await stage.is_free(arpi)
    await stage.nothing_is_left()


@scripted()
async def a_mandatory_wrap_up_waits_for_what_it_was_about(stage: Stage) -> None:
    await stage.set_queue(wrap_up_s=30, wrap_up_mandatory=True, dispositions=["Order", "Complaint"])
    caller, arpi, call = await stage.talk()
    await caller.hang_up()
    await stage.until_state(call, "wrap_up")
    await stage.forward(120)
    assert (await stage.row(call))["state"] == "wrap_up"
    assert await arpi.refused(f"/calls/{call['id']}/wrap_up", {"done": True}) == "invalid"
    await arpi.wraps_up(call, disposition="Order")
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


# --- transfer and consultation ----------------------------------------------------------------------------------------------


@scripted()
async def a_blind_transfer_to_an_agent(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    eka = await stage.agent("Eka")
    await arpi.does(call, "transfer", agent_id=eka.id)
    await caller.hears("music")
    await eka.answers()
    await stage.hear_each_other(caller, eka)
    await stage.hears_only(arpi)
    await finish(stage, caller, eka, call)


@scripted()
async def a_blind_transfer_to_a_queue_keeps_the_age(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    queued_at = (await stage.row(call))["queued_at"]
    sales = await stage.house.queue("Sales")
    seller = await stage.agent("Seller", queue_ids=[sales])
    await arpi.does(call, "transfer", queue_id=sales)
    await seller.answers()
    row = await stage.row(call)
    assert (row["queued_at"], row["queue_id"]) == (queued_at, sales)
    await stage.hear_each_other(caller, seller)
    await finish(stage, caller, seller, call)


@scripted()
async def who_leaves_while_being_passed_on_frees_everybody(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    sales = await stage.house.queue("Sales")
    await arpi.does(call, "transfer", queue_id=sales)
    await caller.hears("music")
    await caller.hang_up()
    await stage.until_over(call)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


@scripted("dials")
async def a_blind_transfer_to_a_number_outside(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "transfer", number=OUTSIDE)
    outside = await stage.line.rung(OUTSIDE)
    await stage.hear_each_other(caller, outside)
    await caller.hang_up()
    await outside.is_over()
    await stage.until_over(call, "forwarded")
    await stage.nothing_is_left()


@scripted("dials")
async def a_number_outside_that_does_not_answer_gives_the_caller_back_to_the_queue(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "transfer", number=OUTSIDE)
    await stage.line.rung(OUTSIDE, "declines")
    again = await arpi.answers()
    assert again["id"] == call["id"]
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted("dials")
async def who_leaves_while_it_rings_outside_stops_the_ringing(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "transfer", number=OUTSIDE)
    outside = await stage.line.rung(OUTSIDE, "rings")
    await caller.hears("music")
    await caller.hang_up()
    await outside.is_over()
    await stage.until_over(call)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


async def consult(stage: Stage) -> tuple[Caller, Agent, Agent, Json]:
    """The agent asks a colleague while the customer waits."""
    caller, arpi, call = await stage.talk()
    eka = await stage.agent("Eka")
    await arpi.does(call, "consult", agent_id=eka.id)
    await caller.hears("music")
    await eka.request("POST", f"/calls/{call['id']}/join", {})
    await eka.connects(call)
    await stage.until_state(call, "consult")
    await stage.hear_each_other(arpi, eka)
    await stage.hears_only(caller)
    return caller, arpi, eka, call


@scripted()
async def a_consulted_colleague_gets_the_call(stage: Stage) -> None:
    caller, arpi, eka, call = await consult(stage)
    await arpi.does(call, "consult/complete")
    await stage.hear_each_other(caller, eka)
    await stage.hears_only(arpi)
    assert (await stage.row(call))["agent_id"] == eka.id
    await finish(stage, caller, eka, call)


@scripted()
async def a_consultation_is_ended_and_the_customer_is_back(stage: Stage) -> None:
    caller, arpi, eka, call = await consult(stage)
    await arpi.does(call, "consult/cancel")
    await stage.hear_each_other(caller, arpi)
    await stage.hears_only(eka)
    await finish(stage, caller, arpi, call)


@scripted()
async def a_consultation_becomes_a_conference(stage: Stage) -> None:
    caller, arpi, eka, call = await consult(stage)
    await arpi.does(call, "conference")
    await stage.hear_each_other(caller, arpi, eka)
    assert (await stage.until_state(call, "conference"))["agent_id"] == arpi.id
    await eka.does(call, "leave")
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted()
async def who_leaves_a_conference_ends_it(stage: Stage) -> None:
    caller, arpi, eka, call = await consult(stage)
    await arpi.does(call, "conference")
    await stage.hear_each_other(caller, arpi, eka)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.is_free(eka)
    await stage.nothing_is_left()


@scripted()
async def who_leaves_during_a_consultation_ends_it(stage: Stage) -> None:
    caller, arpi, eka, call = await consult(stage)
    await caller.hang_up()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.is_free(eka)
    await stage.nothing_is_left()


@scripted()
async def a_colleague_who_is_asked_passes(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    eka = await stage.agent("Eka")
    await stage.line.agent_picks_up_never(eka)
    await arpi.does(call, "consult", agent_id=eka.id)
    await caller.hears("music")
    await eka.request("POST", f"/calls/{call['id']}/refuse", {})
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted("dials")
async def a_number_outside_is_asked_and_all_three_talk(stage: Stage) -> None:
    caller, arpi, call = await stage.talk()
    await arpi.does(call, "consult", number=OUTSIDE)
    outside = await stage.line.rung(OUTSIDE)
    await stage.hear_each_other(arpi, outside)
    await arpi.does(call, "conference")
    await stage.hear_each_other(caller, arpi, outside)
    await outside.hang_up()
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


# --- supervision ----------------------------------------------------------------------------------------------------------


async def supervised(stage: Stage, presence: str) -> tuple[Caller, Agent, Agent, Json]:
    caller, arpi, call = await stage.talk()
    boss = await stage.agent("Boss", role=Role.SUPERVISOR, available=False)
    await boss.does(call, "supervise", presence=presence)
    await boss.connects(call)
    await stage.hears_only(boss, "caller", "Arpi")
    return caller, arpi, boss, call


@scripted()
async def a_supervisor_listens_and_is_heard_by_nobody(stage: Stage) -> None:
    caller, arpi, boss, call = await supervised(stage, "listen")
    await stage.hears_only(caller, "Arpi")
    await stage.hears_only(arpi, "caller")
    await boss.does(call, "leave")
    await stage.hear_each_other(caller, arpi)
    await finish(stage, caller, arpi, call)


@scripted()
async def a_supervisor_whispers_to_the_agent_alone(stage: Stage) -> None:
    caller, arpi, boss, call = await supervised(stage, "whisper")
    await stage.hears_only(arpi, "caller", "Boss")
    await stage.hears_only(caller, "Arpi")
    await boss.does(call, "supervise", presence="listen")
    await stage.hears_only(arpi, "caller")
    await finish(stage, caller, arpi, call)


@scripted()
async def a_supervisor_barges_in(stage: Stage) -> None:
    caller, arpi, boss, call = await supervised(stage, "listen")
    await boss.does(call, "supervise", presence="talk")
    await stage.hear_each_other(caller, arpi, boss)
    await finish(stage, caller, arpi, call)


@scripted()
async def a_supervisor_takes_the_call_over(stage: Stage) -> None:
    caller, arpi, boss, call = await supervised(stage, "listen")
    await boss.does(call, "take_over")
    await stage.hear_each_other(caller, boss)
    await stage.hears_only(arpi)
    noted = [(row["actor_name"], row["action"]) for row in await stage.rows(tables.audit) if row["subject"] == "call"]
    assert noted == [("Boss", "call.supervised"), ("Boss", "call.taken_over")]
    await finish(stage, caller, boss, call)


# --- a call goes out ------------------------------------------------------------------------------------------------------


@scripted("dials")
async def a_customer_is_called(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    call = await arpi.calls(CUSTOMER)
    customer = await stage.line.rung(CUSTOMER)
    await stage.until_state(call, "talking")
    await stage.hear_each_other(customer, arpi)
    await customer.hang_up()
    await arpi.wraps_up(call)
    await stage.until_over(call, "completed")
    await stage.nothing_is_left()


async def not_reached(stage: Stage, how: str, reason: str) -> None:
    arpi = await stage.agent("Arpi")
    call = await arpi.calls(CUSTOMER)
    await stage.line.rung(CUSTOMER, how)
    await stage.until_over(call, reason)
    await stage.is_free(arpi)
    await stage.nothing_is_left()


@scripted("dials")
async def a_customer_who_is_busy(stage: Stage) -> None:
    await not_reached(stage, "busy", "busy")


@scripted("dials", "detects_machines")
async def a_machine_is_hung_up_on(stage: Stage) -> None:
    await not_reached(stage, "machine", "machine")


@scripted("dials")
async def a_customer_who_does_not_answer(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    call = await arpi.calls(CUSTOMER)
    await stage.line.rung(CUSTOMER, "rings")
    await stage.forward(46)
    row = await stage.until_over(call)
    assert row["end_reason"] == "no_answer"
    await stage.is_free(arpi)
    await stage.nothing_is_left()


@scripted("dials")
async def the_agent_gives_up_while_it_rings(stage: Stage) -> None:
    arpi = await stage.agent("Arpi")
    call = await arpi.calls(CUSTOMER)
    await stage.line.rung(CUSTOMER, "rings")
    await arpi.does(call, "hang_up")
    await stage.until_over(call, "cancelled")
    await stage.is_free(arpi)
    await stage.nothing_is_left()
