"""What a caller hears before somebody answers: a menu as a small tree of nodes, and where a caller is in it. Pure.

    body (JSON) ── read_flow ──► Flow ── begin ──► Step ── answer · finished · waited · failed ──► Step …
                       │
                       └──► Faults, each at its node

A node asks (menu, language), decides by itself (hours), tells something (say) or is where the way ends: in a queue, at the
tone of a voicemail, with a callback, at a number outside, with a goodbye. Each function takes the caller's `Place` and
answers with the step that is next; it never fails, whatever the place is: one that the flow does not have (somebody deleted
the flow meanwhile) begins anew, and what does not fit a place (a key while music plays, told late) gives its step again.

No caller gets stuck, because `read_flow` refuses what could do it: a name that is not there, a way without an end, a
circle that a silent caller would go round for ever. What a caller chooses may lead back to a menu, and a queue may after a
while: both wait. Whether queues, calendars and sounds exist is not known here: `references` lists what a flow names.

Of what is said in several languages a caller hears theirs, else the language of the first; whoever chooses a language hears
all of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from hub.calls.phrases import PHRASES, language_of
from hub.domain.sentences import Sentence
from hub.routing.calendar import Faults

KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#")
# Nobody finds their way in more; and every call reads its flow at every step.
NODES_LIMIT = 100
# Some minutes of speech, which nobody listens to; Twilio's <Say> takes 4,096 characters.
TEXT_LENGTH = 1_000
_SAID_LIMIT = 10
_TITLE_LENGTH = 60
_WORDS_LIMIT, _WORD_LENGTH = 20, 40
# Going back and forth in menus: the agent reads the last ones.
_CHOSEN_LIMIT = 10
_TRIES, _TIMEOUT_S = (1, 5), (3, 30)
# From "say your name" to a long story; shorter is a slip.
_LIMIT_S = (10, 600)
# A telephone rings every 5 s; Twilio lets it ring 600 s at most, callers a minute.
_RING_S = (5, 60)
_AFTER_S = (10, 7_200)
_HIGHEST_ID = 2**63 - 1

_NODE_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# ITU-T E.164: at most 15 digits, no leading zero. What people set between them is taken out before.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN_DIGITS = re.compile(r"[\s().-]")

Thing = Literal["queue", "calendar", "sound"]


# --- a flow -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something said in `language` (BCP 47): an uploaded sound, with `text` for lines that do not have it, or `text` alone.
    `phrase` names one of the hub's own sentences (calls.phrases)."""

    text: str = ""
    language: str = "en"
    sound_id: int | None = None
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """`words`: what a caller may say instead of the key, where the line hears words. `label`: what the agent sees."""

    key: str
    to: str
    label: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    key: str
    language: str
    to: str


@dataclass(frozen=True, slots=True)
class MenuNode:
    """Asked `tries` times at most; whoever has chosen nothing by then goes on to `otherwise`."""

    kind: ClassVar[str] = "menu"
    said: tuple[Spoken, ...]
    choices: tuple[Choice, ...]
    otherwise: str
    tries: int = 3
    timeout_s: int = 8
    title: str = ""


@dataclass(frozen=True, slots=True)
class LanguageNode:
    """Says all of `said` in its order, since nobody knows the caller's language yet. Who chooses nothing keeps the language
    that was assumed."""

    kind: ClassVar[str] = "language"
    said: tuple[Spoken, ...]
    choices: tuple[LanguageChoice, ...]
    otherwise: str
    tries: int = 2
    timeout_s: int = 8
    title: str = ""


@dataclass(frozen=True, slots=True)
class HoursNode:
    kind: ClassVar[str] = "hours"
    calendar_id: int
    open: str
    closed: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class SayNode:
    kind: ClassVar[str] = "say"
    said: tuple[Spoken, ...]
    next: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class QueueNode:
    """`otherwise`: where a caller goes who has waited for `after_s` seconds; both or neither ("else" in the body)."""

    kind: ClassVar[str] = "queue"
    queue_id: int
    said: tuple[Spoken, ...] = ()
    after_s: int | None = None
    otherwise: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class VoicemailNode:
    """The message is the work of `queue_id`; None: of the line's own queue."""

    kind: ClassVar[str] = "voicemail"
    said: tuple[Spoken, ...] = ()
    queue_id: int | None = None
    limit_s: int = 180
    title: str = ""


@dataclass(frozen=True, slots=True)
class CallbackNode:
    """`otherwise`: for whoever hides their number."""

    kind: ClassVar[str] = "callback"
    otherwise: str
    said: tuple[Spoken, ...] = ()
    queue_id: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class NumberNode:
    """`otherwise`: when nobody answers there."""

    kind: ClassVar[str] = "number"
    number: str
    otherwise: str
    said: tuple[Spoken, ...] = ()
    ring_s: int = 25
    title: str = ""


@dataclass(frozen=True, slots=True)
class HangUpNode:
    kind: ClassVar[str] = "hang_up"
    said: tuple[Spoken, ...] = ()
    title: str = ""


Node = (
    MenuNode | LanguageNode | HoursNode | SayNode | QueueNode | VoicemailNode | CallbackNode | NumberNode | HangUpNode
)


@dataclass(frozen=True, slots=True)
class Flow:
    """`language` is assumed of callers of whom we know none, or one in which nothing is said here."""

    start: str
    nodes: Mapping[str, Node]
    language: str = "en"

    def languages(self) -> frozenset[str]:
        """All in which something is said, without their regions; the assumed one, if nothing is."""
        spoken = {_short(each.language) for node in self.nodes.values() for each in _said(node)}
        return frozenset(spoken or {_short(self.language)})


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a flow names and that may be there or not; `field` is its place in the body."""

    field: str
    thing: Thing
    id: int


def simple(queue_id: int, language: str) -> Flow:
    """Straight to a queue: for lines without a menu."""
    return Flow("queue", {"queue": QueueNode(queue_id)}, language)


def references(flow: Flow) -> Iterator[Reference]:
    """Everything that the flow names and that may be there or not."""
    for node_id, node in flow.nodes.items():
        at = f"nodes.{node_id}"
        if isinstance(node, HoursNode):
            yield Reference(f"{at}.calendar_id", "calendar", node.calendar_id)
        if isinstance(node, QueueNode | VoicemailNode | CallbackNode) and node.queue_id is not None:
            yield Reference(f"{at}.queue_id", "queue", node.queue_id)
        for number, each in enumerate(_said(node)):
            if each.sound_id is not None:
                yield Reference(f"{at}.said.{number}.sound_id", "sound", each.sound_id)


# --- a caller in it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """`tries`: how often this node has asked in vain. `chosen`: the labels of what the caller chose, oldest first."""

    node: str
    tries: int = 0
    language: str = "en"
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskStep:
    place: Place
    said: tuple[Spoken, ...]
    keys: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    timeout_s: int


@dataclass(frozen=True, slots=True)
class TellStep:
    place: Place
    said: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class QueueStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int
    after_s: int | None = None


@dataclass(frozen=True, slots=True)
class VoicemailStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int | None
    limit_s: int


@dataclass(frozen=True, slots=True)
class CallbackStep:
    place: Place
    said: tuple[Spoken, ...]
    queue_id: int | None


@dataclass(frozen=True, slots=True)
class NumberStep:
    place: Place
    said: tuple[Spoken, ...]
    number: str
    ring_s: int


@dataclass(frozen=True, slots=True)
class HangUpStep:
    place: Place
    said: tuple[Spoken, ...]


Step = AskStep | TellStep | QueueStep | VoicemailStep | CallbackStep | NumberStep | HangUpStep


@dataclass(frozen=True, slots=True)
class World:
    """What decides beside the caller. `language`: as far as it is known (BCP 47); empty if it is not."""

    is_open: Callable[[int], bool]
    has_number: bool
    language: str


def begin(flow: Flow, world: World) -> Step:
    """The first step of a call."""
    is_spoken = world.language != "" and _short(world.language) in flow.languages()
    return _enter(flow, flow.start, Place(flow.start, language=world.language if is_spoken else flow.language), world)


def answer(flow: Flow, place: Place, key: str | None, world: World) -> Step:
    """After an AskStep: what was pressed or said; None: nothing in time."""
    node = flow.nodes.get(place.node)
    match node:
        case MenuNode():
            for choice in node.choices:
                if choice.key == key:
                    chosen = (*place.chosen, choice.label or choice.key)[-_CHOSEN_LIMIT:]
                    return _enter(flow, choice.to, replace(place, chosen=chosen), world)
        case LanguageNode():
            for option in node.choices:
                if option.key == key:
                    return _enter(flow, option.to, replace(place, language=option.language), world)
        case _:
            return _again(flow, place, world)
    tries = place.tries + 1
    if tries >= node.tries:
        return _enter(flow, node.otherwise, place, world)
    before = () if key is None else (_phrase("not_understood", place),)
    return _step(node, replace(place, tries=tries), before)


def finished(flow: Flow, place: Place, world: World) -> Step:
    """After a TellStep: it has been said."""
    node = flow.nodes.get(place.node)
    return _enter(flow, node.next, place, world) if isinstance(node, SayNode) else _again(flow, place, world)


def waited(flow: Flow, place: Place, world: World) -> Step:
    """After a QueueStep: nobody had time within `after_s`."""
    node = flow.nodes.get(place.node)
    if isinstance(node, QueueNode) and node.otherwise is not None:
        return _enter(flow, node.otherwise, place, world)
    return _again(flow, place, world)


def failed(flow: Flow, place: Place, world: World) -> Step:
    """After a NumberStep: nobody answered there. After a CallbackStep: there is no number to call back."""
    node = flow.nodes.get(place.node)
    match node:
        case NumberNode():
            return _enter(flow, node.otherwise, place, world, (_phrase("not_reached", place),))
        case CallbackNode():
            return _enter(flow, node.otherwise, place, world, (_phrase("callback_no_number", place),))
        case _:
            return _again(flow, place, world)


def walk(flow: Flow, world: World, deeds: Sequence[str]) -> tuple[Step, ...]:
    """What a caller hears who does this: all steps to the one at which they are then. A deed is a key, "silence" (nothing
    pressed in time), "wait" (for as long as the queue's node says) or "no_answer" (at the number). What does not fit where
    the caller is is passed over; what is only told is heard to its end."""
    steps = [*_told(flow, begin(flow, world), world)]
    for deed in deeds:
        here = steps[-1]
        match here, deed:
            case AskStep(), _ if deed in KEYS or deed == "silence":
                on = answer(flow, here.place, None if deed == "silence" else deed, world)
            case QueueStep(), "wait" if here.after_s is not None:
                on = waited(flow, here.place, world)
            case NumberStep(), "no_answer":
                on = failed(flow, here.place, world)
            case _:
                continue
        steps += _told(flow, on, world)
    return tuple(steps)


def _told(flow: Flow, step: Step, world: World) -> Iterator[Step]:
    """The step, and those after it that come without the caller."""
    yield step
    # No flow that was read goes on for longer.
    for _ in range(NODES_LIMIT):
        if not isinstance(step, TellStep):
            return
        step = finished(flow, step.place, world)
        yield step


def _enter(flow: Flow, node_id: str, place: Place, world: World, before: tuple[Spoken, ...] = ()) -> Step:
    """The step at a node, or behind the nodes at which nothing is heard. `before` is said first."""
    # No flow that was read has as many in a row; one that was not must not hold the program.
    for _ in range(NODES_LIMIT + 1):
        node = flow.nodes.get(node_id)
        match node:
            case HoursNode():
                node_id = node.open if world.is_open(node.calendar_id) else node.closed
            case CallbackNode() if not world.has_number:
                node_id, before = node.otherwise, (*before, _phrase("callback_no_number", place))
            case None:
                break
            case _:
                return _step(node, replace(place, node=node_id, tries=0), before)
    return HangUpStep(replace(place, node=node_id, tries=0), (*before, _phrase("trouble", place)))


def _again(flow: Flow, place: Place, world: World) -> Step:
    """The step of this place once more; the first one if there is no such place."""
    node = flow.nodes.get(place.node)
    if node is None:
        return _enter(flow, flow.start, place, world)
    if isinstance(node, HoursNode):
        return _enter(flow, place.node, place, world)
    return _step(node, place)


def _step(
    node: MenuNode | LanguageNode | SayNode | QueueNode | VoicemailNode | CallbackNode | NumberNode | HangUpNode,
    place: Place,
    before: tuple[Spoken, ...] = (),
) -> Step:
    said = (*before, *(node.said if isinstance(node, LanguageNode) else _in_language(node.said, place.language)))
    match node:
        case MenuNode():
            words = {choice.key: choice.words for choice in node.choices if choice.words}
            return AskStep(place, said, tuple(choice.key for choice in node.choices), words, node.timeout_s)
        case LanguageNode():
            return AskStep(place, said, tuple(option.key for option in node.choices), {}, node.timeout_s)
        case SayNode():
            return TellStep(place, said)
        case QueueNode():
            return QueueStep(place, said, node.queue_id, node.after_s)
        case VoicemailNode():
            return VoicemailStep(place, _or_phrase(node, said, "leave_message", place), node.queue_id, node.limit_s)
        case CallbackNode():
            return CallbackStep(place, said, node.queue_id)
        case NumberNode():
            return NumberStep(place, _or_phrase(node, said, "transferring", place), node.number, node.ring_s)
        case HangUpNode():
            return HangUpStep(place, _or_phrase(node, said, "goodbye", place))


def _or_phrase(
    node: VoicemailNode | NumberNode | HangUpNode, said: tuple[Spoken, ...], name: str, place: Place
) -> tuple[Spoken, ...]:
    """Where the node itself says nothing, the hub does."""
    return said if node.said else (*said, _phrase(name, place))


def _phrase(name: str, place: Place) -> Spoken:
    language = language_of(place.language)
    return Spoken(PHRASES[language][name], language, phrase=name)


def _in_language(said: tuple[Spoken, ...], language: str) -> tuple[Spoken, ...]:
    theirs = tuple(each for each in said if _short(each.language) == _short(language))
    return theirs or tuple(each for each in said if _short(each.language) == _short(said[0].language))


def _short(language: str) -> str:
    return language.partition("-")[0].lower()


def _said(node: Node) -> tuple[Spoken, ...]:
    return () if isinstance(node, HoursNode) else node.said


def write_place(place: Place) -> dict[str, Any]:
    """As `read_place` reads it: plain JSON."""
    return {"node": place.node, "tries": place.tries, "language": place.language, "chosen": list(place.chosen)}


def read_place(stored: Mapping[str, Any]) -> Place:
    return Place(stored["node"], stored["tries"], stored["language"], tuple(stored["chosen"]))


# --- reading what people typed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Exit:
    """A way out of a node. `is_automatic`: whoever does nothing is there at once or after the menu's last try."""

    field: str
    to: str
    is_automatic: bool = True


def read_flow(body: object) -> Flow | Faults:
    """The flow that is meant by `{"start": id, "language": "en", "nodes": {id: {"kind", "title"?, …}}}`, or every fault in
    it at its node (`nodes.main.choices.1.key`). A node that is named but not there, in a circle or out of reach is told once
    all nodes can be read."""
    faults: dict[str, str] = {}
    if not isinstance(body, Mapping):
        return Faults({"nodes": Sentence("is not a menu")})
    fields = _Fields(body, "", ("start", "language", "nodes"), faults)
    language = fields.language("language") or "en"
    start, nodes = body.get("start"), body.get("nodes")
    if not isinstance(nodes, Mapping) or not nodes:
        faults["nodes"] = Sentence("is empty: say what callers shall hear first")
        return Faults(faults)
    if len(nodes) > NODES_LIMIT:
        faults["nodes"] = Sentence("are more than {count}", count=NODES_LIMIT)
        return Faults(faults)
    read: dict[str, Node] = {}
    for node_id, given in nodes.items():
        if not isinstance(node_id, str) or not _NODE_ID.fullmatch(node_id):
            faults[f"nodes.{str(node_id)[:40]}"] = Sentence("has a name that is not made of letters, digits, - and _")
            continue
        node = _read_node(given, f"nodes.{node_id}", faults)
        if node is not None:
            read[node_id] = node
    if not isinstance(start, str) or start not in nodes:
        faults["start"] = Sentence("names no step of this menu")
    if not faults:
        _check_ways(Flow(str(start), read, language), faults)
    return Faults(faults) if faults else Flow(str(start), read, language)


def write_flow(flow: Flow) -> dict[str, Any]:
    """As `read_flow` takes it: plain JSON."""
    return {
        "start": flow.start,
        "language": flow.language,
        "nodes": {node_id: _write_node(node) for node_id, node in flow.nodes.items()},
    }


def _write_node(node: Node) -> dict[str, Any]:
    written: dict[str, Any] = {"kind": node.kind, "title": node.title}
    match node:
        case MenuNode():
            written["choices"] = [
                {"key": each.key, "label": each.label, "words": list(each.words), "to": each.to}
                for each in node.choices
            ]
        case LanguageNode():
            written["choices"] = [{"key": each.key, "language": each.language, "to": each.to} for each in node.choices]
        case HoursNode():
            return written | {"calendar_id": node.calendar_id, "open": node.open, "closed": node.closed}
        case SayNode():
            written["next"] = node.next
        case QueueNode():
            written |= {"queue_id": node.queue_id, "after_s": node.after_s, "else": node.otherwise}
        case VoicemailNode():
            written |= {"queue_id": node.queue_id, "limit_s": node.limit_s}
        case CallbackNode():
            written |= {"queue_id": node.queue_id, "otherwise": node.otherwise}
        case NumberNode():
            written |= {"number": node.number, "ring_s": node.ring_s, "otherwise": node.otherwise}
        case HangUpNode():
            pass
    if isinstance(node, MenuNode | LanguageNode):
        written |= {"tries": node.tries, "timeout_s": node.timeout_s, "otherwise": node.otherwise}
    written["said"] = [{"text": each.text, "language": each.language, "sound_id": each.sound_id} for each in node.said]
    return written


def _exits(node: Node) -> Iterator[_Exit]:
    match node:
        case MenuNode() | LanguageNode():
            choices: Sequence[Choice | LanguageChoice] = node.choices
            for number, each in enumerate(choices):
                yield _Exit(f"choices.{number}.to", each.to, is_automatic=False)
            yield _Exit("otherwise", node.otherwise)
        case HoursNode():
            yield _Exit("open", node.open)
            yield _Exit("closed", node.closed)
        case SayNode():
            yield _Exit("next", node.next)
        case QueueNode():
            if node.otherwise is not None:
                yield _Exit("else", node.otherwise, is_automatic=False)
        case CallbackNode() | NumberNode():
            yield _Exit("otherwise", node.otherwise)
        case VoicemailNode() | HangUpNode():
            pass


def _check_ways(flow: Flow, faults: dict[str, str]) -> None:
    """Every way leads on and none in a circle; every node has a way to it."""
    for node_id, node in flow.nodes.items():
        for each in _exits(node):
            if each.to not in flow.nodes:
                faults[f"nodes.{node_id}.{each.field}"] = Sentence(
                    "leads to {step}, which is not there", step=each.to[:40]
                )
    if faults:
        return
    for node_id, exit_field in _circles(flow):
        faults[f"nodes.{node_id}.{exit_field}"] = Sentence(
            "leads in a circle: a caller who presses nothing would go round for ever"
        )
    reached, ahead = {flow.start}, [flow.start]
    while ahead:
        for each in _exits(flow.nodes[ahead.pop()]):
            if each.to not in reached:
                reached.add(each.to)
                ahead.append(each.to)
    for node_id in flow.nodes:
        if node_id not in reached:
            faults.setdefault(f"nodes.{node_id}", Sentence("cannot be reached: nothing leads here"))


def _circles(flow: Flow) -> Iterator[tuple[str, str]]:
    """(node, field) of the ways that close a circle of automatic ways, each circle once. Depth first; a way to a node that
    is still being looked at closes one."""
    done: set[str] = set()
    for first in flow.nodes:
        open_nodes = [first] if first not in done else []
        ways = {first: _automatic(flow, first)}
        while open_nodes:
            node_id = open_nodes[-1]
            way = next(ways[node_id], None)
            if way is None:
                done.add(open_nodes.pop())
            elif way.to in open_nodes:
                yield node_id, way.field
            elif way.to not in done:
                ways[way.to] = _automatic(flow, way.to)
                open_nodes.append(way.to)


def _automatic(flow: Flow, node_id: str) -> Iterator[_Exit]:
    return (each for each in _exits(flow.nodes[node_id]) if each.is_automatic)


class _Fields:
    """One object of what was typed: its known fields, read one by one; each fault is noted under its whole name. Null and
    what is left out are the same."""

    def __init__(self, given: Mapping[Any, Any], name: str, known: Sequence[str], faults: dict[str, str]) -> None:
        self.name, self._given, self._faults = name, given, faults
        for each in given:
            if each not in known:
                self.fault(str(each)[:60], Sentence("is not a known field"))

    def fault(self, field_name: str, words: str) -> None:
        self._faults.setdefault(f"{self.name}.{field_name}".removeprefix("."), words)

    def get(self, field_name: str) -> Any:
        return self._given.get(field_name)

    def text(self, field_name: str, most: int) -> str:
        value = self.get(field_name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fault(field_name, Sentence("must be text"))
            return ""
        if len(value.strip()) > most:
            self.fault(field_name, Sentence("must have at most {count} characters", count=most))
        return value.strip()

    def whole(self, field_name: str, bounds: tuple[int, int]) -> int | None:
        value = self.get(field_name)
        if value is None:
            return None
        if type(value) is not int or not bounds[0] <= value <= bounds[1]:
            self.fault(
                field_name, Sentence("must be a whole number from {least} to {most}", least=bounds[0], most=bounds[1])
            )
            return None
        return value

    def thing(self, field_name: str, missing: str = "") -> int:
        """0 if it is left out, which is a fault if `missing` says so."""
        value = self.get(field_name)
        if value is None and missing:
            self.fault(field_name, missing)
        if value is not None and (type(value) is not int or not 1 <= value <= _HIGHEST_ID):
            self.fault(field_name, Sentence("is not a number of anything"))
            return 0
        return value or 0

    def language(self, field_name: str) -> str:
        value = self.get(field_name)
        if value is None:
            return ""
        if not isinstance(value, str) or not _LANGUAGE.fullmatch(value) or len(value) > 35:
            self.fault(field_name, Sentence("is not a language; one is written like en, hy or ka"))
            return ""
        return value

    def way(self, field_name: str) -> str:
        """Where it goes on: a node's id. That it leads nowhere is a fault."""
        value = self.get(field_name)
        if value is None or value == "":
            self.fault(field_name, Sentence("leads nowhere: say how it goes on"))
        elif not isinstance(value, str):
            self.fault(field_name, Sentence("is not the name of a step"))
        else:
            return value
        return ""

    def many(self, field_name: str, most: int) -> Sequence[object]:
        value = self.get(field_name)
        if value is None:
            return ()
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            self.fault(field_name, Sentence("must be a list"))
            return ()
        if len(value) > most:
            self.fault(field_name, Sentence("are more than {count}", count=most))
            return ()
        return value

    def said(self, *, missing: str = "") -> tuple[Spoken, ...]:
        """`missing`: why something must be said."""
        read = []
        for number, given in enumerate(self.many("said", _SAID_LIMIT)):
            place = f"{self.name}.said.{number}"
            if not isinstance(given, Mapping):
                self._faults[place] = Sentence("is nothing that can be said")
                continue
            fields = _Fields(given, place, ("text", "language", "sound_id"), self._faults)
            spoken = Spoken(
                fields.text("text", TEXT_LENGTH), fields.language("language") or "en", fields.thing("sound_id") or None
            )
            if not spoken.text and spoken.sound_id is None:
                fields.fault("text", Sentence("is empty: write what is said, or choose a sound"))
            read.append(spoken)
        if missing and not read:
            self.fault("said", missing)
        return tuple(read)


_COMMON = ("kind", "title", "said")
_ASKING = (*_COMMON, "choices", "tries", "timeout_s", "otherwise")


@dataclass(frozen=True, slots=True)
class _Kind:
    known: tuple[str, ...]
    read: Callable[[_Fields, str, dict[str, str]], Node] = field(repr=False)


def _read_node(given: object, name: str, faults: dict[str, str]) -> Node | None:
    """None if it has faults."""
    kind = given.get("kind") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        faults[f"{name}.kind"] = Sentence("there is no such step; there are {known}", known=", ".join(_KINDS))
        return None
    before = len(faults)
    fields = _Fields(given, name, _KINDS[kind].known, faults)
    node = _KINDS[kind].read(fields, fields.text("title", _TITLE_LENGTH), faults)
    return node if len(faults) == before else None


def _read_menu(fields: _Fields, title: str, faults: dict[str, str]) -> Node:
    choices: list[Choice] = []
    words: set[str] = set()
    for number, given in enumerate(fields.many("choices", len(KEYS))):
        each = _read_choice(given, f"{fields.name}.choices.{number}", ("label", "words"), faults)
        if each is None:
            continue
        own: list[str] = []
        for place, word in enumerate(each.many("words", _WORDS_LIMIT)):
            if not isinstance(word, str) or not 1 <= len(word.strip()) <= _WORD_LENGTH:
                each.fault(f"words.{place}", Sentence("is not a word of 1 to {count} characters", count=_WORD_LENGTH))
            elif word.strip().casefold() in words:
                each.fault(f"words.{place}", Sentence("stands for two choices"))
            else:
                words.add(word.strip().casefold())
                own.append(word.strip())
        choices.append(Choice(_key(each, choices), each.way("to"), each.text("label", _TITLE_LENGTH), tuple(own)))
    if not fields.get("choices"):
        fields.fault("choices", Sentence("is empty: give callers something to choose"))
    return MenuNode(
        fields.said(missing=Sentence("is empty: say what each key is for")),
        tuple(choices),
        fields.way("otherwise"),
        fields.whole("tries", _TRIES) or 3,
        fields.whole("timeout_s", _TIMEOUT_S) or 8,
        title,
    )


def _read_language(fields: _Fields, title: str, faults: dict[str, str]) -> Node:
    choices: list[LanguageChoice] = []
    for number, given in enumerate(fields.many("choices", len(KEYS))):
        each = _read_choice(given, f"{fields.name}.choices.{number}", ("language",), faults)
        if each is None:
            continue
        language = each.language("language")
        if each.get("language") is None:
            each.fault("language", Sentence("is required"))
        choices.append(LanguageChoice(_key(each, choices), language, each.way("to")))
    if not fields.get("choices"):
        fields.fault("choices", Sentence("is empty: give callers a language to choose"))
    return LanguageNode(
        fields.said(missing=Sentence("is empty: say which key is for which language")),
        tuple(choices),
        fields.way("otherwise"),
        fields.whole("tries", _TRIES) or 2,
        fields.whole("timeout_s", _TIMEOUT_S) or 8,
        title,
    )


def _read_choice(given: object, name: str, known: tuple[str, ...], faults: dict[str, str]) -> _Fields | None:
    if not isinstance(given, Mapping):
        faults[name] = Sentence("is not a choice")
        return None
    return _Fields(given, name, ("key", "to", *known), faults)


def _key(fields: _Fields, before: Sequence[Choice | LanguageChoice]) -> str:
    key = fields.get("key")
    if not isinstance(key, str) or key not in KEYS:
        fields.fault("key", Sentence("is not a key; there are 0 to 9, * and #"))
        return ""
    if any(each.key == key for each in before):
        fields.fault("key", Sentence("{key} stands for two choices", key=key))
    return key


def _read_hours(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    calendar_id = fields.thing("calendar_id", Sentence("choose the business hours"))
    return HoursNode(calendar_id, fields.way("open"), fields.way("closed"), title)


def _read_say(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    return SayNode(fields.said(missing=Sentence("is empty: write what callers hear")), fields.way("next"), title)


def _read_queue(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    after_s, otherwise = fields.whole("after_s", _AFTER_S), None
    if fields.get("after_s") is not None:
        otherwise = fields.way("else")
    elif fields.get("else") is not None:
        fields.fault("after_s", Sentence("is needed: after how many seconds of waiting it goes on"))
    return QueueNode(fields.thing("queue_id", Sentence("choose the queue")), fields.said(), after_s, otherwise, title)


def _read_voicemail(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    limit_s = fields.whole("limit_s", _LIMIT_S) or 180
    return VoicemailNode(fields.said(), fields.thing("queue_id") or None, limit_s, title)


def _read_callback(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    return CallbackNode(fields.way("otherwise"), fields.said(), fields.thing("queue_id") or None, title)


def _read_number(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    number = _BETWEEN_DIGITS.sub("", fields.text("number", 40))
    if not _E164.fullmatch(number):
        fields.fault(
            "number", Sentence("is not a whole telephone number; one begins with + and the country, like +37410500500")
        )
    return NumberNode(number, fields.way("otherwise"), fields.said(), fields.whole("ring_s", _RING_S) or 25, title)


def _read_hang_up(fields: _Fields, title: str, _faults: dict[str, str]) -> Node:
    return HangUpNode(fields.said(), title)


_KINDS: Mapping[str, _Kind] = {
    MenuNode.kind: _Kind(_ASKING, _read_menu),
    LanguageNode.kind: _Kind(_ASKING, _read_language),
    HoursNode.kind: _Kind(("kind", "title", "calendar_id", "open", "closed"), _read_hours),
    SayNode.kind: _Kind((*_COMMON, "next"), _read_say),
    QueueNode.kind: _Kind((*_COMMON, "queue_id", "after_s", "else"), _read_queue),
    VoicemailNode.kind: _Kind((*_COMMON, "queue_id", "limit_s"), _read_voicemail),
    CallbackNode.kind: _Kind((*_COMMON, "queue_id", "otherwise"), _read_callback),
    NumberNode.kind: _Kind((*_COMMON, "number", "ring_s", "otherwise"), _read_number),
    HangUpNode.kind: _Kind(_COMMON, _read_hang_up),
}
