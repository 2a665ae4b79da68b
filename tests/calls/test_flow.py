"""Menus as values: what is refused at which node, what a caller hears, and that nobody gets stuck."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.calls.flow import (
    KEYS,
    NODES_LIMIT,
    AskStep,
    CallbackStep,
    Flow,
    HangUpStep,
    NumberStep,
    Place,
    QueueStep,
    Spoken,
    Step,
    TellStep,
    VoicemailStep,
    World,
    answer,
    begin,
    failed,
    finished,
    read_flow,
    read_place,
    references,
    simple,
    waited,
    walk,
    write_flow,
    write_place,
)
from hub.calls.phrases import PHRASES
from hub.routing.calendar import Faults

QUEUE, SALES, HOURS, SOUND = 7, 8, 3, 5


def said(*texts: str, language: str = "en") -> list[dict[str, Any]]:
    return [{"text": text, "language": language} for text in texts]


def choice(key: str, to: str, label: str = "", *words: str) -> dict[str, Any]:
    return {"key": key, "to": to, "label": label, "words": list(words)}


def menu(*choices: dict[str, Any], otherwise: str = "end", **other: Any) -> dict[str, Any]:
    return {"kind": "menu", "said": said("Press a key."), "choices": list(choices), "otherwise": otherwise, **other}


def say(next_: str, text: str = "Hello.") -> dict[str, Any]:
    return {"kind": "say", "said": said(text), "next": next_}


def queue(queue_id: int = QUEUE, /, **other: Any) -> dict[str, Any]:
    return {"kind": "queue", "queue_id": queue_id, **other}


def number(otherwise: str, **other: Any) -> dict[str, Any]:
    return {"kind": "number", "number": "+37410500500", "otherwise": otherwise, **other}


def hours(open_: str, closed: str) -> dict[str, Any]:
    return {"kind": "hours", "calendar_id": HOURS, "open": open_, "closed": closed}


END: dict[str, Any] = {"kind": "hang_up"}


def body(start: str = "main", language: str = "en", /, **nodes: dict[str, Any]) -> dict[str, Any]:
    return {"start": start, "language": language, "nodes": nodes}


def read(start: str = "main", language: str = "en", /, **nodes: dict[str, Any]) -> Flow:
    found = read_flow(body(start, language, **nodes))
    assert isinstance(found, Flow), found
    return found


def faults(start: str = "main", /, **nodes: dict[str, Any]) -> dict[str, str]:
    found = read_flow(body(start, **nodes))
    assert isinstance(found, Faults)
    return dict(found.fields)


def world(*, is_open: bool = True, has_number: bool = True, language: str = "en") -> World:
    return World(lambda _calendar_id: is_open, has_number, language)


def texts(step: Step) -> list[str]:
    return [each.text for each in step.said]


# What a shop has: two languages, hours, a menu under a greeting, a way out for everybody.
SHOP: dict[str, dict[str, Any]] = {
    "tongue": {
        "kind": "language",
        "title": "Language",
        "said": [*said("Հայերենի համար սեղմեք 1։", language="hy"), *said("For English press 2.")],
        "choices": [{"key": "1", "language": "hy", "to": "when"}, {"key": "2", "language": "en", "to": "when"}],
        "otherwise": "when",
    },
    "when": hours("hello", "message"),
    "hello": {
        "kind": "say",
        "said": [*said("Welcome."), *said("Բարի գալուստ։", language="hy")],
        "next": "main",
    },
    "main": menu(
        choice("1", "support", "Support", "support", "help"),
        choice("2", "sales", "Sales"),
        choice("3", "opening", "Hours"),
        choice("4", "back", "Call me back"),
        choice("9", "boss", "The boss"),
        otherwise="support",
    ),
    "support": queue(QUEUE, after_s=120, **{"else": "message"}),
    "sales": queue(SALES),
    "opening": say("main", "We are open from nine to six."),
    "back": {"kind": "callback", "otherwise": "support"},
    "boss": number("main", ring_s=20),
    "message": {"kind": "voicemail", "said": said("Leave a message."), "limit_s": 90},
}


@pytest.fixture
def shop() -> Flow:
    return read("tongue", "hy", **SHOP)


# --- what a caller hears ------------------------------------------------------------------------------------------------


def test_a_line_without_a_menu_leads_straight_to_its_queue() -> None:
    step = begin(simple(QUEUE, "hy"), world(language=""))
    assert step == QueueStep(Place("queue", language="hy"), (), QUEUE, None)


def test_the_choice_of_a_language_says_all_of_it(shop: Flow) -> None:
    step = begin(shop, world())
    assert isinstance(step, AskStep)
    assert (texts(step), step.keys) == (["Հայերենի համար սեղմեք 1։", "For English press 2."], ("1", "2"))


@pytest.mark.parametrize(("key", "language", "greeting"), [("1", "hy", "Բարի գալուստ։"), ("2", "en", "Welcome.")])
def test_a_chosen_language_is_spoken_from_there_on(shop: Flow, key: str, language: str, greeting: str) -> None:
    step = answer(shop, begin(shop, world()).place, key, world())
    assert isinstance(step, TellStep)
    assert (step.place.language, texts(step)) == (language, [greeting])


def test_a_language_in_which_nothing_is_said_hears_that_of_the_first(shop: Flow) -> None:
    step = answer(shop, Place("tongue", language="hy"), "1", world())
    assert texts(finished(shop, step.place, world())) == ["Press a key."]


@pytest.mark.parametrize(("known", "assumed"), [("", "hy"), ("ka", "hy"), ("en", "en"), ("en-GB", "en-GB")])
def test_a_known_language_is_taken_if_the_menu_speaks_it(shop: Flow, known: str, assumed: str) -> None:
    assert begin(shop, world(language=known)).place.language == assumed


def test_several_things_said_in_one_language_are_all_said() -> None:
    flow = read(main={"kind": "say", "said": said("One.", "Two."), "next": "end"}, end=END)
    assert texts(begin(flow, world(language="en-US"))) == ["One.", "Two."]


def test_hours_decide_without_the_caller(shop: Flow) -> None:
    place = begin(shop, world()).place
    assert isinstance(answer(shop, place, "2", world(is_open=True)), TellStep)
    assert isinstance(answer(shop, place, "2", world(is_open=False)), VoicemailStep)


def test_hours_are_asked_by_their_calendar() -> None:
    flow = read(main=hours("end", "tone"), end=END, tone={"kind": "voicemail"})
    open_by = World(lambda calendar_id: calendar_id == HOURS, has_number=True, language="en")
    assert isinstance(begin(flow, open_by), HangUpStep)


def test_a_menu_offers_its_keys_and_words(shop: Flow) -> None:
    step = finished(shop, Place("hello"), world())
    assert isinstance(step, AskStep)
    assert step.keys == ("1", "2", "3", "4", "9")
    assert step.words == {"1": ("support", "help")}
    assert step.timeout_s == 8


def test_a_choice_leads_on_and_is_kept_for_the_agent(shop: Flow) -> None:
    step = answer(shop, Place("main"), "2", world())
    assert step == QueueStep(Place("sales", chosen=("Sales",)), (), SALES, None)


def test_a_choice_without_a_label_is_kept_as_its_key() -> None:
    flow = read(main=menu(choice("5", "end")), end=END)
    assert answer(flow, Place("main"), "5", world()).place.chosen == ("5",)


def test_of_many_choices_the_last_ten_are_kept(shop: Flow) -> None:
    place = Place("main", chosen=tuple(str(number) for number in range(10)))
    assert answer(shop, place, "2", world()).place.chosen == (*(str(number) for number in range(1, 10)), "Sales")


def test_silence_is_asked_again_as_it_was(shop: Flow) -> None:
    step = answer(shop, Place("main"), None, world())
    assert (step.place, texts(step)) == (Place("main", tries=1), ["Press a key."])


def test_a_wrong_key_is_told_so_in_the_callers_language(shop: Flow) -> None:
    step = answer(shop, Place("main", language="hy"), "7", world())
    assert texts(step) == [PHRASES["hy"]["not_understood"], "Press a key."]
    assert step.said[0].phrase == "not_understood"


@pytest.mark.parametrize("key", [None, "7"])
def test_who_never_chooses_goes_on_after_the_last_try(shop: Flow, key: str | None) -> None:
    step: Step = finished(shop, Place("hello"), world())
    for _ in range(3):
        assert isinstance(step, AskStep)
        step = answer(shop, step.place, key, world())
    assert isinstance(step, QueueStep)
    assert step.place == Place("support")


def test_tries_are_counted_anew_in_the_next_menu() -> None:
    flow = read(main=menu(choice("1", "more")), more=menu(choice("1", "end")), end=END)
    assert answer(flow, Place("main", tries=2), "1", world()).place.tries == 0


def test_a_message_leads_back_to_the_menu(shop: Flow) -> None:
    step = answer(shop, Place("main"), "3", world())
    assert isinstance(step, TellStep)
    assert texts(step) == ["We are open from nine to six."]
    assert isinstance(finished(shop, step.place, world()), AskStep)


def test_who_has_waited_long_enough_is_led_on(shop: Flow) -> None:
    step = answer(shop, Place("main"), "1", world())
    assert isinstance(step, QueueStep)
    assert step.after_s == 120
    assert waited(shop, step.place, world()) == VoicemailStep(
        Place("message", chosen=("Support",)), (Spoken("Leave a message."),), None, 90
    )


def test_a_callback_keeps_the_line_queue_unless_it_names_one(shop: Flow) -> None:
    step = answer(shop, Place("main"), "4", world())
    assert step == CallbackStep(Place("back", chosen=("Call me back",)), (), None)


def test_a_hidden_number_is_not_called_back_and_hears_why(shop: Flow) -> None:
    step = answer(shop, Place("main"), "4", world(has_number=False))
    assert isinstance(step, QueueStep)
    assert (step.place.node, step.said[0].phrase) == ("support", "callback_no_number")


def test_a_callback_that_turns_out_impossible_leads_on(shop: Flow) -> None:
    step = failed(shop, Place("back"), world())
    assert (step.place.node, step.said[0].phrase) == ("support", "callback_no_number")


def test_a_number_where_nobody_answers_leads_on_and_says_so(shop: Flow) -> None:
    step = answer(shop, Place("main"), "9", world())
    assert isinstance(step, NumberStep)
    assert (step.number, step.ring_s, [each.phrase for each in step.said]) == ("+37410500500", 20, ["transferring"])
    on = failed(shop, step.place, world())
    assert [each.phrase for each in on.said] == ["not_reached", ""]


@pytest.mark.parametrize(
    ("node", "phrase"),
    [({"kind": "voicemail"}, "leave_message"), (number("end"), "transferring"), (END, "goodbye")],
)
def test_where_a_node_says_nothing_the_hub_does(node: dict[str, Any], phrase: str) -> None:
    flow = read(main=menu(choice("1", "node"), choice("2", "end")), node=node, end=END)
    step = answer(flow, Place("main", language="hy"), "1", world())
    assert step.said == (Spoken(PHRASES["hy"][phrase], "hy", phrase=phrase),)


def test_a_reason_does_not_replace_what_the_hub_says() -> None:
    flow = read(main=number("tone"), tone={"kind": "voicemail"})
    assert [each.phrase for each in failed(flow, Place("main"), world()).said] == ["not_reached", "leave_message"]


# --- places that do not fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [finished, waited, failed, lambda *given: answer(given[0], given[1], "1", given[2])])
def test_a_place_that_the_menu_does_not_have_begins_anew(step: Any) -> None:
    flow = simple(QUEUE, "hy")
    found = step(flow, Place("gone", 2, "hy", ("Sales",)), world())
    assert found == QueueStep(Place("queue", 0, "hy", ("Sales",)), (), QUEUE)


def test_what_does_not_fit_a_place_gives_its_step_again(shop: Flow) -> None:
    asked = answer(shop, Place("main"), None, world())
    assert finished(shop, asked.place, world()) == asked
    assert failed(shop, asked.place, world()) == asked
    assert waited(shop, asked.place, world()) == asked
    told = finished(shop, Place("hello"), world())
    assert answer(shop, Place("hello"), "1", world()) != told
    assert isinstance(answer(shop, Place("hello"), "1", world()), TellStep)


def test_a_flow_that_was_never_read_ends_in_words_not_in_a_hang() -> None:
    flow = Flow("a", {**read("a", a=hours("b", "b"), b=END).nodes})
    endless = Flow("a", {"a": flow.nodes["a"], "b": flow.nodes["a"]})
    step = begin(endless, world())
    assert isinstance(step, HangUpStep)
    assert step.said[0].phrase == "trouble"


def test_a_place_is_kept_as_json() -> None:
    place = Place("main", 2, "hy", ("Sales", "2"))
    assert read_place(write_place(place)) == place


# --- a walk, as the preview makes it ------------------------------------------------------------------------------------


def test_a_walk_tells_all_that_is_heard(shop: Flow) -> None:
    steps = walk(shop, world(), ["2", "3", "1", "wait"])
    assert [step.place.node for step in steps] == ["tongue", "hello", "main", "opening", "main", "support", "message"]


def test_a_walk_passes_over_what_does_not_fit(shop: Flow) -> None:
    steps = walk(shop, world(), ["no_answer", "2", "9", "1", "wait", "no_answer", "silence", "nonsense"])
    assert [step.place.node for step in steps] == ["tongue", "hello", "main", "boss", "main", "main"]


def test_a_walk_ends_where_the_call_does(shop: Flow) -> None:
    steps = walk(shop, world(is_open=False), ["2", "1", "silence"])
    assert [step.place.node for step in steps] == ["tongue", "message"]


def test_a_queue_that_leads_nowhere_is_where_a_walk_stays(shop: Flow) -> None:
    assert walk(shop, world(), ["2", "2", "wait"])[-1].place.node == "sales"


# --- what is refused ----------------------------------------------------------------------------------------------------


def test_what_is_written_reads_the_same(shop: Flow) -> None:
    assert read_flow(write_flow(shop)) == shop


def test_a_flow_names_what_it_needs(shop: Flow) -> None:
    flow = read("a", a={"kind": "say", "said": [{"sound_id": SOUND}], "next": "b"}, b=hours("c", "d"), c=queue(), d=END)
    assert [(each.field, each.thing, each.id) for each in references(flow)] == [
        ("nodes.a.said.0.sound_id", "sound", SOUND),
        ("nodes.b.calendar_id", "calendar", HOURS),
        ("nodes.c.queue_id", "queue", QUEUE),
    ]
    assert {each.id for each in references(shop)} == {HOURS, QUEUE, SALES}


def test_a_number_is_read_as_people_write_it() -> None:
    flow = read(main=number("end", number=" +374 (10) 500-500 "), end=END)
    step = begin(flow, world())
    assert isinstance(step, NumberStep)
    assert step.number == "+37410500500"


@pytest.mark.parametrize(
    ("start", "nodes", "place", "words"),
    [
        ("x", {"main": END}, "start", "names no step"),
        ("main", {}, "nodes", "is empty"),
        ("main", {"main": say("gone")}, "nodes.main.next", "gone, which is not there"),
        ("main", {"main": say("")}, "nodes.main.next", "leads nowhere"),
        ("main", {"main": {"kind": "say", "said": said("x")}}, "nodes.main.next", "leads nowhere"),
        ("main", {"main": hours("end", ""), "end": END}, "nodes.main.closed", "leads nowhere"),
        ("main", {"main": menu(otherwise="end"), "end": END}, "nodes.main.choices", "is empty"),
        ("main", {"main": menu(choice("1", "end"), choice("1", "end")), "end": END}, "nodes.main.choices.1.key", "two"),
        ("main", {"main": menu(choice("12", "end")), "end": END}, "nodes.main.choices.0.key", "is not a key"),
        ("main", {"main": menu(choice("1", "")), "end": END}, "nodes.main.choices.0.to", "leads nowhere"),
        (
            "main",
            {"main": menu(choice("1", "end", "", "Yes"), choice("2", "end", "", " yes")), "end": END},
            "nodes.main.choices.1.words.0",
            "two choices",
        ),
        ("main", {"main": menu(choice("1", "end"), said=[]), "end": END}, "nodes.main.said", "is empty"),
        ("main", {"main": menu(choice("1", "end"), otherwise=""), "end": END}, "nodes.main.otherwise", "leads nowhere"),
        ("main", {"main": menu(choice("1", "end"), tries=0), "end": END}, "nodes.main.tries", "from 1 to 5"),
        (
            "main",
            {"main": menu(choice("1", "end"), timeout_s=True), "end": END},
            "nodes.main.timeout_s",
            "whole number",
        ),
        ("main", {"main": say("main")}, "nodes.main.next", "circle"),
        ("main", {"main": say("b"), "b": hours("end", "main"), "end": END}, "nodes.b.closed", "circle"),
        ("main", {"main": menu(choice("1", "end"), otherwise="main"), "end": END}, "nodes.main.otherwise", "circle"),
        ("main", {"main": number("b"), "b": number("main")}, "nodes.b.otherwise", "circle"),
        ("main", {"main": END, "lost": END}, "nodes.lost", "cannot be reached"),
        ("main", {"main": END, "one": say("two"), "two": say("one")}, "nodes.one", "cannot be reached"),
        ("main", {"main": queue(after_s=60)}, "nodes.main.else", "leads nowhere"),
        ("main", {"main": queue(**{"else": "end"}), "end": END}, "nodes.main.after_s", "is needed"),
        ("main", {"main": queue(after_s=1, **{"else": "end"}), "end": END}, "nodes.main.after_s", "from 10"),
        ("main", {"main": {"kind": "queue"}}, "nodes.main.queue_id", "choose the queue"),
        ("main", {"main": queue(2**63)}, "nodes.main.queue_id", "not a number of anything"),
        ("main", {"main": {"kind": "hours", "open": "e", "closed": "e"}, "e": END}, "nodes.main.calendar_id", "choose"),
        ("main", {"main": number("end", number="911"), "end": END}, "nodes.main.number", "telephone number"),
        ("main", {"main": number("end", number="+0123456789"), "end": END}, "nodes.main.number", "telephone number"),
        ("main", {"main": number("end", ring_s=600), "end": END}, "nodes.main.ring_s", "from 5 to 60"),
        ("main", {"main": {"kind": "voicemail", "limit_s": 0}}, "nodes.main.limit_s", "from 10"),
        ("main", {"main": {"kind": "callback"}}, "nodes.main.otherwise", "leads nowhere"),
        ("main", {"main": {"kind": "dance"}}, "nodes.main.kind", "no such step"),
        ("main", {"main": {"kind": ["menu"]}}, "nodes.main.kind", "no such step"),
        ("main", {"main": {**END, "colour": "red"}}, "nodes.main.colour", "not a known field"),
        ("main", {"main": {**END, "title": "x" * 61}}, "nodes.main.title", "at most 60"),
        ("main", {"main": {**END, "said": said("x" * 1001)}}, "nodes.main.said.0.text", "at most 1000"),
        ("main", {"main": {**END, "said": said("  ")}}, "nodes.main.said.0.text", "is empty"),
        ("main", {"main": {**END, "said": said("x", language="Klingon!")}}, "nodes.main.said.0.language", "language"),
        ("main", {"main": {**END, "said": said(*"abcdefghijk")}}, "nodes.main.said", "more than 10"),
        ("main", {"main": {**END, "said": ["hello"]}}, "nodes.main.said.0", "nothing that can be said"),
        ("main", {"main": END, "a b": END}, "nodes.a b", "name"),
    ],
)
def test_a_fault_is_told_at_its_node(start: str, nodes: dict[str, Any], place: str, words: str) -> None:
    found = faults(start, **nodes)
    assert words in found.get(place, ""), found


def test_a_language_is_chosen_by_its_name() -> None:
    node = {"kind": "language", "said": said("1 or 2?"), "choices": [{"key": "1", "to": "end"}], "otherwise": "end"}
    assert "is required" in faults(main=node, end=END)["nodes.main.choices.0.language"]


def test_all_faults_are_told_at_once() -> None:
    found = faults(main=menu(choice("x", ""), said=[]), other={"kind": "queue"})
    assert set(found) == {
        "nodes.main.said",
        "nodes.main.choices.0.key",
        "nodes.main.choices.0.to",
        "nodes.other.queue_id",
    }


def test_a_circle_is_told_once_and_where_it_closes() -> None:
    found = faults(main=say("b"), b=say("c"), c=say("main"))
    assert list(found) == ["nodes.c.next"]


def test_what_a_caller_chooses_may_lead_back() -> None:
    read(main=menu(choice("1", "more"), otherwise="end"), more=menu(choice("9", "main"), otherwise="end"), end=END)


def test_a_queue_may_lead_back_to_the_menu_before_it() -> None:
    flow = read(main=menu(choice("1", "end"), otherwise="wait"), wait=queue(after_s=60, **{"else": "main"}), end=END)
    assert isinstance(waited(flow, Place("wait"), world()), AskStep)


def test_a_menu_has_an_end_of_its_size() -> None:
    most = {f"n{number}": say(f"n{number + 1}") for number in range(NODES_LIMIT - 1)}
    last = {f"n{NODES_LIMIT - 1}": END}
    assert len(walk(read("n0", **most, **last), world(), [])) == NODES_LIMIT
    assert "more than 100" in faults("n0", **most, **last, one_more=END)["nodes"]


@pytest.mark.parametrize("given_body", [None, [], "menu", 7, {}, {"nodes": []}, {"nodes": {"a": None}}])
def test_what_is_no_menu_is_refused_in_words(given_body: object) -> None:
    assert isinstance(read_flow(given_body), Faults)


# --- nobody gets stuck --------------------------------------------------------------------------------------------------

IDS = tuple("abcdefgh")
WAYS = st.sampled_from(IDS)
SAID = st.lists(st.sampled_from([*said("Hello."), *said("Բարև։", language="hy")]), min_size=1, max_size=2)


def _choices(**other: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    each = st.fixed_dictionaries({"key": st.sampled_from(KEYS), "to": WAYS, **other})
    return st.lists(each, min_size=1, max_size=3, unique_by=lambda each: each["key"])


def _kind(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(name), **fields})


NODE = st.one_of(
    _kind("menu", said=SAID, choices=_choices(), otherwise=WAYS, tries=st.integers(1, 3)),
    _kind("language", said=SAID, choices=_choices(language=st.sampled_from(["en", "hy"])), otherwise=WAYS),
    _kind("hours", calendar_id=st.just(HOURS), open=WAYS, closed=WAYS),
    _kind("say", said=SAID, next=WAYS),
    _kind("queue", queue_id=st.just(QUEUE)),
    st.fixed_dictionaries({"kind": st.just("queue"), "queue_id": st.just(QUEUE), "after_s": st.just(30), "else": WAYS}),
    _kind("voicemail"),
    _kind("callback", otherwise=WAYS),
    _kind("number", number=st.just("+37410500500"), otherwise=WAYS),
    _kind("hang_up"),
)


def reachable(nodes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The nodes that can be reached from `a`: what is left over would be refused for that alone."""
    kept, ahead = {"a"}, ["a"]
    while ahead:
        node = nodes[ahead.pop()]
        ways = [node.get(name) for name in ("otherwise", "open", "closed", "next", "else")]
        ways += [each["to"] for each in node.get("choices", ())]
        new = {way for way in ways if way is not None} - kept
        kept |= new
        ahead += sorted(new)
    return {node_id: node for node_id, node in nodes.items() if node_id in kept}


BODIES = st.fixed_dictionaries({each: NODE for each in IDS}).map(
    lambda nodes: {"start": "a", "language": "en", "nodes": reachable(nodes)}
)
FLOWS = BODIES.map(read_flow).filter(lambda found: isinstance(found, Flow))
WORLDS = st.builds(
    World,
    is_open=st.booleans().map(lambda value: lambda _calendar_id: value),
    has_number=st.booleans(),
    language=st.sampled_from(["", "en", "hy", "ka"]),
)


def on(flow: Flow, step: Step, key: str | None, where: World) -> Step | None:
    """What comes after the step if the caller presses `key`; None where the call waits for us, or is over."""
    match step:
        case AskStep():
            return answer(flow, step.place, key, where)
        case TellStep():
            return finished(flow, step.place, where)
        case NumberStep() | CallbackStep():
            return failed(flow, step.place, where)
        case _:
            return None


@given(flow=FLOWS, where=WORLDS)
def test_a_silent_caller_comes_to_a_queue_a_tone_or_an_end(flow: Flow, where: World) -> None:
    # Each node at most once, each menu as often as it asks, then the way behind it.
    bound = sum(max(1, getattr(node, "tries", 1)) for node in flow.nodes.values())
    step: Step = begin(flow, where)
    heard = 0
    while (after := on(flow, step, None, where)) is not None:
        step, heard = after, heard + 1
        assert heard <= bound
    assert isinstance(step, QueueStep | VoicemailStep | HangUpStep)


@given(flow=FLOWS, where=WORLDS, keys=st.lists(st.sampled_from([None, *KEYS]), max_size=30))
def test_every_step_says_something_takes_a_key_or_leads_to_people(
    flow: Flow, where: World, keys: list[str | None]
) -> None:
    step: Step = begin(flow, where)
    for key in keys:
        assert not isinstance(step, AskStep | TellStep) or any(each.text for each in step.said)
        assert not isinstance(step, AskStep) or step.keys
        assert step.place.node in flow.nodes
        assert step.place.tries < 5
        step = on(flow, step, key, where) or begin(flow, where)


@given(flow=FLOWS)
def test_every_menu_reads_as_it_was_written(flow: Flow) -> None:
    assert read_flow(write_flow(flow)) == flow


@given(flow=FLOWS, where=WORLDS, deeds=st.lists(st.sampled_from(["silence", "wait", "no_answer", *KEYS]), max_size=20))
def test_a_walk_of_any_deeds_is_finite_and_stays_in_the_menu(flow: Flow, where: World, deeds: list[str]) -> None:
    steps = walk(flow, where, deeds)
    assert 1 <= len(steps) <= (len(deeds) + 1) * (len(flow.nodes) + 1)
    assert {step.place.node for step in steps} <= set(flow.nodes)
    assert not isinstance(steps[-1], TellStep)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([*IDS, "menu", "queue", "+1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*IDS, "kind", "said", "choices", "otherwise", "key", "to", "words", "queue_id", "else"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(start=JSON, nodes=st.dictionaries(st.sampled_from(IDS) | st.text(max_size=3), JSON, max_size=4) | JSON)
def test_anything_at_all_is_read_or_refused(start: object, nodes: object) -> None:
    assert isinstance(read_flow({"start": start, "nodes": nodes}), Flow | Faults)


@given(body=BODIES, place=WAYS, junk=st.dictionaries(st.text(max_size=9), JSON, max_size=5))
def test_a_node_with_anything_in_it_is_read_or_refused(
    body: dict[str, Any], place: str, junk: dict[str, object]
) -> None:
    nodes = {**body["nodes"], place: {**body["nodes"].get(place, {}), **junk}}
    assert isinstance(read_flow({**body, "nodes": nodes}), Flow | Faults)
