"""The registry of measures: what each figure is called, what it means, and the one function that computes it.

A figure names its measure; a measure names its formula, unit, clock and source. Live screens and reports call the same
function over the same cells (kpi.cells), so they cannot differ. A formula is never changed in place: a new version is added,
and what it was before stays in RETIRED, so that no past figure changes its meaning.

Pure: standard library only, and no clock (`now` is an argument).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.domain.calls import SHORT_ABANDON_S
from hub.domain.events import (
    AgentSpellEnded,
    CallEnded,
    CallMissed,
    CallSegmentEnded,
    ContactBegan,
    ConversationResolved,
    CustomerAnswered,
    CustomerJoined,
    CustomerParted,
    OfferOver,
    QueueVisitEnded,
    SegmentEnded,
    SurveyAnswered,
    SurveySent,
)
from hub.domain.sentences import Sentence
from hub.kpi.cells import (
    ABANDONED,
    ANSWERED,
    CALLED_BACK,
    LADDER_S,
    OFFER_OUTCOMES,
    REPEAT_DAYS,
    Cell,
    Dim,
    abandoned_before,
    answered_within,
    called_back_within,
    reopened_within,
    repeated_within,
)


class Unit(StrEnum):
    COUNT = "count"
    SECONDS = "seconds"
    # 0 to 1.
    SHARE = "share"
    # Points of a scale: 1 to 5 of CSAT and CES, -100 to 100 of NPS.
    POINTS = "points"


class Clock(StrEnum):
    """NONE: the figure counts. WALL: every second counts, nights and holidays too. BUSINESS: only the hours of the queue."""

    NONE = "none"
    WALL = "wall"
    BUSINESS = "business"


class Better(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


class Level(StrEnum):
    """NONE: nothing is wished, or nothing is known yet."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    NONE = "none"


def level_of(value: float | None, target: float | None, warning: float | None, better: Better | None) -> Level:
    """How far a figure is from what it should be. Exactly at the target is good, exactly at `warning` no worse than a
    warning; without a `warning` what misses the target is bad. The console has the same rule (targets.ts)."""
    if value is None or target is None or better is None:
        return Level.NONE
    if _reaches(value, target, better):
        return Level.GOOD
    return Level.WARNING if warning is not None and _reaches(value, warning, better) else Level.BAD


def _reaches(value: float, bound: float, better: Better) -> bool:
    return value >= bound if better is Better.HIGHER else value <= bound


@dataclass(frozen=True, slots=True)
class Params:
    """What may be asked differently. `threshold_s` (of service level) and `short_s` (what counts as a short abandon) are of
    cells.LADDER_S, `days` (of FCR and reopening) of cells.REPEAT_DAYS; the three switches are Genesys Cloud's."""

    threshold_s: int = 20
    short_s: int = int(SHORT_ABANDON_S)
    days: int = 7
    with_abandons: bool = True
    with_short_abandons: bool = True
    with_flow_outs: bool = False

    def faults(self) -> dict[str, str]:
        """What cannot be asked, by name."""
        found: dict[str, str] = {}
        for name in ("threshold_s", "short_s"):
            if getattr(self, name) not in LADDER_S:
                found[name] = Sentence("must be one of {known}", known=", ".join(map(str, LADDER_S)))
        if self.days not in REPEAT_DAYS:
            found["days"] = Sentence("must be one of {known}", known=", ".join(map(str, REPEAT_DAYS)))
        return found


DEFAULTS = Params()


def conditions_of(measure: Measure, params: Params) -> list[str]:
    """What a figure was counted with, in words: "answered within 20 s". Of the switches those that are not as usual."""
    told = {
        "threshold_s": f"answered within {params.threshold_s} s",
        "short_s": f"short abandons: under {params.short_s} s",
        "days": f"within {params.days} days",
        "with_abandons": "" if params.with_abandons else "abandons left out",
        "with_short_abandons": "" if params.with_short_abandons else "short abandons left out",
        "with_flow_outs": "what flowed out added" if params.with_flow_outs else "",
    }
    return [told[name] for name in measure.params if told[name]]


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is None while there is no case; `n` is how many cases it is of. Percentile measures have the median as value,
    and the 90th percentile and the mean beside it. `parts`: what the value consists of, where it is told apart."""

    value: float | None
    n: int
    p90: float | None = None
    mean: float | None = None
    parts: Mapping[str, float | None] = field(default_factory=dict)
    previous: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """`formula` is what a person reads behind "what is this number?"; `source` are the kinds of fact it is computed from;
    `day_by` names the instant that says to which day a fact belongs. `reads` and `sketch` are what `of` looks at in a cell,
    `by` whose cells have it, `params` what of Params it heeds. `has_contacts`: its cases can be listed (kpi.contacts).
    `beside`: those sources that only make a difference to what the others add (that the customer came back)."""

    id: str
    version: int
    name: str
    formula: str
    unit: Unit
    clock: Clock
    source: str
    day_by: str
    of: Callable[[Cell, Params], Figure]
    reads: tuple[str, ...]
    by: tuple[Dim, ...]
    better: Better | None = None
    sketch: str | None = None
    params: tuple[str, ...] = ()
    has_contacts: bool = True
    beside: tuple[str, ...] = ()


def sources_of(measure: Measure) -> list[str]:
    """The kinds of fact that it is computed from."""
    return measure.source.split(", ")


def counted_of(measure: Measure) -> list[str]:
    """Those of them of which any add to it themselves."""
    return [source for source in sources_of(measure) if source not in measure.beside]


EVERYBODY = (Dim.ALL, Dim.AGENT, Dim.TEAM, Dim.QUEUE, Dim.CHANNEL, Dim.TOPIC)
# What happens in a queue before anybody has it is no agent's.
QUEUES = (Dim.ALL, Dim.QUEUE, Dim.CHANNEL, Dim.TOPIC)
PEOPLE = (Dim.ALL, Dim.AGENT, Dim.TEAM)

# --- kinds of figures ----------------------------------------------------------------------------------------------------


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _count(counter: str) -> Callable[[Cell, Params], Figure]:
    return lambda cell, _: Figure(cell[counter], cell[counter])


def _seconds(counter: str, n: tuple[str, ...]) -> Callable[[Cell, Params], Figure]:
    """A sum of durations over so many cases."""
    return lambda cell, _: Figure(cell[counter] / 1000, cell.sum(n))


def _mean(counters: tuple[str, ...], n: tuple[str, ...]) -> Callable[[Cell, Params], Figure]:
    def of(cell: Cell, _: Params) -> Figure:
        cases = cell.sum(n)
        return Figure(_ratio(cell.sum(counters), cases * 1000), cases)

    return of


def _spread(sketch: str, counter: str, n: tuple[str, ...]) -> Callable[[Cell, Params], Figure]:
    """Median, 90th percentile and mean. The median of one or two cases is their mean, so it is told exactly."""

    def of(cell: Cell, _: Params) -> Figure:
        cases = cell.sum(n)
        mean = _ratio(cell[counter], cases * 1000)
        median = mean if cases <= 2 else cell.quantile_s(sketch, 0.5)
        return Figure(median, cases, mean if cases == 1 else cell.quantile_s(sketch, 0.9), mean)

    return of


def _share(part: str, whole: tuple[str, ...]) -> Callable[[Cell, Params], Figure]:
    def of(cell: Cell, _: Params) -> Figure:
        cases = cell.sum(whole)
        return Figure(_ratio(cell[part], cases), cases)

    return of


# --- service level -------------------------------------------------------------------------------------------------------
# The names are those of the places where the formulas are published, as read in November 2026:
#   * ICMI, QueueTips, "Service Level Calculations", formulas 1, 3, 4 and 5: a question of July 2002 with its answer of August
#     2002, which its address files elsewhere (icmi.com/Resources/QueueTips/2005/March/Service-Level-Calculations.aspx).
#   * Asterisk, apps/app_queue.c of August 2026, ServicelevelPerf and ServicelevelPerf2. It counts in whole seconds, and has
#     who gave up exactly at its threshold within it; here that is no longer before it.
#   * Amazon Connect, Administrator Guide (github.com/awsdocs/amazon-connect-admin-guide, historical-metrics-definitions.md),
#     "Service level X seconds": removed from the queue within X seconds ÷ contacts queued; removed is who was answered,
#     abandoned or asked to be called back. What becomes of work that nobody wants any more it does not say.
#   * Genesys Cloud Resource Center, "Configure the service level calculation", with its three switches.

_FLOWED_OUT = ("overflowed", "moved", *CALLED_BACK)
_OFFERED = (*ANSWERED, *ABANDONED, *_FLOWED_OUT, "dropped")
_ENDED = (*ANSWERED, *ABANDONED)


def offered(cell: Cell) -> int:
    """All visits that ended, but those nobody wanted any more."""
    return cell.sum(_OFFERED)


def _service_level(cell: Cell, params: Params) -> Figure:
    cases = offered(cell) - cell.sum(abandoned_before(params.short_s))
    return Figure(_ratio(cell.sum(answered_within(params.threshold_s)), cases), cases)


def _icmi_1(cell: Cell, params: Params) -> Figure:
    good = cell.sum(answered_within(params.threshold_s)) + cell.sum(abandoned_before(params.threshold_s))
    return Figure(_ratio(good, cell.sum(_ENDED)), cell.sum(_ENDED))


def _icmi_3(cell: Cell, params: Params) -> Figure:
    return Figure(_ratio(cell.sum(answered_within(params.threshold_s)), cell.sum(_ENDED)), cell.sum(_ENDED))


def _icmi_4(cell: Cell, params: Params) -> Figure:
    cases = cell.sum(_ENDED) - cell.sum(abandoned_before(params.threshold_s))
    return Figure(_ratio(cell.sum(answered_within(params.threshold_s)), cases), cases)


def _icmi_5(cell: Cell, params: Params) -> Figure:
    good = cell.sum(answered_within(params.threshold_s)) + cell.sum(abandoned_before(params.short_s))
    return Figure(_ratio(good, cell.sum(_ENDED)), cell.sum(_ENDED))


def _of_answered(cell: Cell, params: Params) -> Figure:
    return Figure(_ratio(cell.sum(answered_within(params.threshold_s)), cell.sum(ANSWERED)), cell.sum(ANSWERED))


def _removed(cell: Cell, params: Params) -> Figure:
    bound = params.threshold_s
    removed = cell.sum((*answered_within(bound), *abandoned_before(bound), *called_back_within(bound)))
    return Figure(_ratio(removed, offered(cell)), offered(cell))


def _genesys(cell: Cell, params: Params) -> Figure:
    cases = cell.sum(ANSWERED)
    if params.with_abandons:
        cases += cell.sum(ABANDONED)
        if not params.with_short_abandons:
            cases -= cell.sum(abandoned_before(params.short_s))
    if params.with_flow_outs:
        cases += cell.sum(_FLOWED_OUT)
    return Figure(_ratio(cell.sum(answered_within(params.threshold_s)), cases), cases)


def _level(
    variant: str,
    name: str,
    formula: str,
    of: Callable[[Cell, Params], Figure],
    reads: tuple[str, ...],
    params: tuple[str, ...] = (),
) -> Measure:
    return Measure(
        id=f"service_level{variant}",
        version=1,
        name=name,
        formula=formula,
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=of,
        reads=reads,
        by=QUEUES,
        better=Better.HIGHER,
        params=("threshold_s", *params),
    )


SERVICE_LEVEL = _level(
    "",
    "Service level",
    "Answered within the threshold ÷ (offered − short abandons). Offered are all that came to wait in the queue and left it"
    " in whatever way, but those nobody wanted any more (resolved or closed while waiting).",
    _service_level,
    _OFFERED,
    ("short_s",),
)

SERVICE_LEVELS = (
    SERVICE_LEVEL,
    _level(
        "_icmi_1",
        "Service level (ICMI 1)",
        "(Answered within the threshold + abandoned before it) ÷ (answered + abandoned).",
        _icmi_1,
        _ENDED,
    ),
    _level(
        "_icmi_3",
        "Service level (ICMI 3)",
        "Answered within the threshold ÷ (answered + abandoned): every abandon counts against us.",
        _icmi_3,
        _ENDED,
    ),
    _level(
        "_icmi_4",
        "Service level (ICMI 4)",
        "Answered within the threshold ÷ (answered + abandoned after the threshold).",
        _icmi_4,
        _ENDED,
    ),
    _level(
        "_icmi_5",
        "Service level (ICMI 5)",
        "(Answered within the threshold + short abandons) ÷ (answered + abandoned).",
        _icmi_5,
        _ENDED,
        ("short_s",),
    ),
    _level(
        "_asterisk",
        "Service level (Asterisk)",
        "Answered within the threshold ÷ answered: abandons do not count (ServicelevelPerf).",
        _of_answered,
        ANSWERED,
    ),
    _level(
        "_asterisk_2",
        "Service level (Asterisk 2)",
        "(Answered within the threshold + abandoned before it) ÷ (answered + abandoned) (ServicelevelPerf2).",
        _icmi_1,
        _ENDED,
    ),
    _level(
        "_connect",
        "Service level (Amazon Connect)",
        "(Answered within the threshold + abandoned before it + asked within it to be called back) ÷ all that came to wait in"
        " the queue and left it in whatever way, but those nobody wanted any more.",
        _removed,
        _OFFERED,
    ),
    _level(
        "_genesys",
        "Service level (Genesys Cloud)",
        "Answered within the threshold ÷ (answered + abandoned), by its switches with what flowed out (overflow, transfer,"
        " callback) added, and with short or all abandons left out.",
        _genesys,
        (*_ENDED, *_FLOWED_OUT),
        ("short_s", "with_abandons", "with_short_abandons", "with_flow_outs"),
    ),
)

# --- waiting -------------------------------------------------------------------------------------------------------------


def _abandonment(cell: Cell, params: Params) -> Figure:
    short = cell.sum(abandoned_before(params.short_s))
    cases = cell["leaving_known"]
    return Figure(_ratio(cell.sum(ABANDONED) - short, cases), cases, parts={"short": _ratio(short, cases)})


def _longest(cell: Cell, _: Params) -> Figure:
    cases = offered(cell)
    return Figure(cell.quantile_s("wait", 1.0), cases)


_WAITING = (
    Measure(
        id="abandonment_rate",
        version=1,
        name="Abandonment rate",
        formula=(
            "Callers who left while waiting ÷ offered calls; short abandons are told apart and not in it. Who asked to be"
            " called back or overflowed to another queue did not abandon. Whoever waits for a written answer may leave"
            " without a sign, so chats, mails and text messages are not in it."
        ),
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=_abandonment,
        reads=(*ABANDONED, "leaving_known"),
        by=QUEUES,
        better=Better.LOWER,
        params=("short_s",),
    ),
    Measure(
        id="asa_queue",
        version=2,
        name="Average speed of answer",
        formula="From joining the queue to the answer, of those answered: the mean, on every channel.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=_mean(("answered_wait_ms",), ANSWERED),
        reads=(*ANSWERED, "answered_wait_ms"),
        by=EVERYBODY,
        better=Better.LOWER,
    ),
    Measure(
        id="asa_arrival",
        version=1,
        name="Average speed of answer, from arrival",
        formula=(
            "From the arrival of a request (menu and all queues included) to the first agent who answered it: the mean. What"
            " waits again after an agent had it is not in it."
        ),
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=_mean(("answered_since_arrival_ms",), ("answered_first",)),
        reads=("answered_first", "answered_since_arrival_ms"),
        by=EVERYBODY,
        better=Better.LOWER,
    ),
    Measure(
        id="wait_s",
        version=1,
        name="Wait of those answered",
        formula="From joining the queue to the answer, of those answered: median, 90th percentile and mean.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=_spread("answered_wait", "answered_wait_ms", ANSWERED),
        reads=(*ANSWERED, "answered_wait_ms"),
        by=EVERYBODY,
        better=Better.LOWER,
        sketch="answered_wait",
    ),
    Measure(
        id="longest_wait_s",
        version=1,
        name="Longest wait",
        formula="The longest time that anybody had waited who left the queue in this time, answered or not; within 1 %.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=_longest,
        reads=_OFFERED,
        by=QUEUES,
        better=Better.LOWER,
        sketch="wait",
    ),
    Measure(
        id="offered",
        version=1,
        name="Offered",
        formula="Work that came to wait in the queue and left it in whatever way, but what nobody wanted any more.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=lambda cell, _: Figure(offered(cell), offered(cell)),
        reads=_OFFERED,
        by=QUEUES,
    ),
    Measure(
        id="answered",
        version=1,
        name="Answered",
        formula="Work that waited in the queue and came to an agent.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=QueueVisitEnded.KIND,
        day_by="removed_at",
        of=lambda cell, _: Figure(cell.sum(ANSWERED), cell.sum(ANSWERED)),
        reads=ANSWERED,
        by=EVERYBODY,
    ),
    Measure(
        id="contacts",
        version=1,
        name="Contacts",
        formula="Requests of customers that began: new conversations, and old ones that were opened again.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=ContactBegan.KIND,
        day_by="arrived_at",
        of=_count("arrived_in"),
        reads=("arrived_in",),
        by=QUEUES,
    ),
    Measure(
        id="contacts_out",
        version=1,
        name="Contacts begun by us",
        formula="Requests that we began: we wrote to the customer or called them first.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=ContactBegan.KIND,
        day_by="arrived_at",
        of=_count("arrived_out"),
        reads=("arrived_out",),
        by=QUEUES,
    ),
)

# --- handling ------------------------------------------------------------------------------------------------------------

_PARTS = ("parts_in", "parts_out", "parts_internal")
_HANDLED = ("talk_ms", "hold_ms", "wrap_up_ms")


def _calls_per_day(cell: Cell, _: Params) -> Figure:
    parts = {"in": cell["parts_in"], "out": cell["parts_out"], "internal": cell["parts_internal"]}
    parts["missed"] = cell["calls_missed"]
    return Figure(cell.sum(_PARTS), cell.sum(_PARTS), parts=parts)


def _aht(cell: Cell, _: Params) -> Figure:
    cases = cell.sum(_PARTS)
    return Figure(_ratio(cell.sum(_HANDLED), cases * 1000), cases)


def _transfers(cell: Cell, _: Params) -> Figure:
    cases = cell.sum(("digital", *_PARTS))
    ways = ("blind", "consult", "requeue")
    passed = {way: cell[f"passed_{way}"] for way in ways}
    return Figure(
        _ratio(sum(passed.values()), cases), cases, parts={way: _ratio(n, cases) for way, n in passed.items()}
    )


def _offers(cell: Cell, _: Params) -> Figure:
    cases = cell.sum(f"offers_{outcome}" for outcome in OFFER_OUTCOMES)
    parts = {outcome: _ratio(cell[f"offers_{outcome}"], cases) for outcome in OFFER_OUTCOMES}
    return Figure(parts["accepted"], cases, parts=parts)


def _segments(measure_id: str, name: str, formula: str, counter: str) -> Measure:
    return Measure(
        id=measure_id,
        version=1,
        name=name,
        formula=formula,
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=SegmentEnded.KIND,
        day_by="ended_at",
        of=_count(counter),
        reads=(counter,),
        by=EVERYBODY,
    )


HANDLED_SEGMENTS = _segments(
    "handled_segments",
    "Handled segments",
    "Holds of an agent on a conversation that ended, however they ended: one transferred twice counts three.",
    "segments",
)
HANDLED_CONTACTS = _segments(
    "handled_contacts",
    "Handled contacts",
    "Different conversations among the handled segments, each once a day: held twice by the same agent, it counts once, on"
    " every day on which a hold ended.",
    "contacts",
)
CHATS_HANDLED = _segments("chats_handled", "Chats", "Handled segments of chats, calls left out.", "chats")
MAILS_HANDLED = _segments("mails_handled", "Mails", "Handled segments of mail.", "mails")
TEXTS_HANDLED = _segments("texts_handled", "Text messages", "Handled segments of text messages (SMS).", "texts")


def _of_parts(
    measure_id: str, name: str, formula: str, of: Callable[[Cell, Params], Figure], reads: tuple[str, ...]
) -> Measure:
    return Measure(
        id=measure_id,
        version=1,
        name=name,
        formula=formula,
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=CallSegmentEnded.KIND,
        day_by="ended_at",
        of=of,
        reads=(*_PARTS, *reads),
        by=EVERYBODY,
    )


CALLS_PER_DAY = Measure(
    id="calls_per_day",
    version=1,
    name="Calls",
    formula=(
        "An agent's parts in calls that ended that day, wrap-up included; inbound (the customer called) and outbound apart."
        " A call passed on counts once for each agent who had it."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=f"{CallSegmentEnded.KIND}, {CallMissed.KIND}",
    day_by="ended_at",
    of=_calls_per_day,
    reads=(*_PARTS, "calls_missed"),
    by=EVERYBODY,
)

CALLS_MISSED = Measure(
    id="calls_missed",
    version=1,
    name="Missed calls",
    formula=(
        "Times a call rang at an agent who neither accepted nor declined it: it rang out, or their device was lost as it"
        " rang. That the customer hung up first, or a colleague took it, is no missed call."
    ),
    unit=Unit.COUNT,
    clock=Clock.NONE,
    source=CallMissed.KIND,
    day_by="ended_at",
    of=_count("calls_missed"),
    reads=("calls_missed",),
    by=EVERYBODY,
    better=Better.LOWER,
)

TALK = _of_parts(
    "talk_s",
    "Talk",
    "Time in which agent and customer talked, conferences included.",
    _seconds("talk_ms", _PARTS),
    ("talk_ms",),
)
HOLD = _of_parts(
    "hold_s",
    "Hold",
    "Time in which the customer was on hold; consultations, and a broken line of the agent's, included.",
    _seconds("hold_ms", _PARTS),
    ("hold_ms",),
)
WRAP_UP = _of_parts(
    "wrap_up_s",
    "Wrap-up",
    "Time from the end of the talk until all was written down, whatever state the agent was in.",
    _seconds("wrap_up_ms", _PARTS),
    ("wrap_up_ms",),
)
AHT = _of_parts(
    "aht",
    "Average handle time",
    "(Talk + hold + wrap-up) ÷ parts in calls, inbound and outbound together.",
    _aht,
    _HANDLED,
)

_HANDLING = (
    HANDLED_SEGMENTS,
    HANDLED_CONTACTS,
    CALLS_PER_DAY,
    CALLS_MISSED,
    TALK,
    HOLD,
    WRAP_UP,
    AHT,
    CHATS_HANDLED,
    MAILS_HANDLED,
    TEXTS_HANDLED,
    Measure(
        id="handle_s",
        version=1,
        name="Handle time of digital work, elapsed",
        formula=(
            "From connecting to the end of a hold, time in which it was put aside included, of all holds but those of calls:"
            " median, 90th percentile and mean."
        ),
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=SegmentEnded.KIND,
        day_by="ended_at",
        of=_spread("handle", "held_ms", ("digital",)),
        reads=("held_ms", "digital"),
        by=EVERYBODY,
        sketch="handle",
    ),
    Measure(
        id="handle_weighted_s",
        version=1,
        name="Handle time of digital work, shared",
        formula=(
            "The same time without that in which the work was put aside, each second divided by the pieces of work that the"
            " agent had at hand in it: the mean. Holds of before that was written down are not in it."
        ),
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=f"{SegmentEnded.KIND}, {AgentSpellEnded.KIND}",
        day_by="ended_at",
        of=_mean(("weighted_ms",), ("weighted",)),
        reads=("weighted_ms", "weighted"),
        by=EVERYBODY,
        beside=(AgentSpellEnded.KIND,),
    ),
    Measure(
        id="transfer_rate",
        version=1,
        name="Transfer rate",
        formula=(
            "Holds and parts in calls whose agent passed the customer on ÷ all of them. Apart: blind, after asking a"
            " colleague (consult), and given back to the queue (requeue). Work that a supervisor or a rule took from its"
            " agent was not passed on by them."
        ),
        unit=Unit.SHARE,
        clock=Clock.NONE,
        source=f"{SegmentEnded.KIND}, {CallSegmentEnded.KIND}",
        day_by="ended_at",
        of=_transfers,
        reads=("digital", *_PARTS, "passed_blind", "passed_consult", "passed_requeue"),
        by=EVERYBODY,
    ),
    Measure(
        id="offer_outcomes",
        version=1,
        name="Offers accepted",
        formula=(
            "Accepted ÷ all offers that ended, and so the share of each other outcome: declined, rung out, device lost, line"
            " not set up, customer left, withdrawn."
        ),
        unit=Unit.SHARE,
        clock=Clock.NONE,
        source=OfferOver.KIND,
        day_by="ended_at",
        of=_offers,
        reads=tuple(f"offers_{outcome}" for outcome in OFFER_OUTCOMES),
        by=EVERYBODY,
        better=Better.HIGHER,
    ),
)

# --- answers and resolutions ---------------------------------------------------------------------------------------------


def _reopen_rate(cell: Cell, params: Params) -> Figure:
    return Figure(_ratio(cell.sum(reopened_within(params.days)), cell["resolved"]), cell["resolved"])


def _fcr(cell: Cell, params: Params) -> Figure:
    cases = cell["resolved_known"]
    return Figure(_ratio(cases - cell.sum(repeated_within(params.days)), cases), cases)


FIRST_RESPONSE = Measure(
    id="first_response_s",
    version=2,
    name="First response",
    formula=(
        "From the first customer message that nobody had answered to the first reply by a person, once a request (a new"
        " conversation, or one that was opened again), credited to who replied. Automatic replies do not count. Of what was"
        " answered before version 2 once a conversation."
    ),
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CustomerAnswered.KIND,
    day_by="answered_at",
    of=_spread("first_answer", "first_answer_ms", ("first_answers",)),
    reads=("first_answer_ms", "first_answers"),
    by=EVERYBODY,
    better=Better.LOWER,
    sketch="first_answer",
)

RESOLUTION = Measure(
    id="resolution_s",
    version=1,
    name="Resolution",
    formula=(
        "From the beginning of the conversation to its first resolution, credited to the agent who held it. A later"
        " reopening neither changes it nor adds to it."
    ),
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=ConversationResolved.KIND,
    day_by="resolved_at",
    of=_spread("resolved_first", "resolved_first_ms", ("resolved_first",)),
    reads=("resolved_first_ms", "resolved_first"),
    by=EVERYBODY,
    better=Better.LOWER,
    sketch="resolved_first",
)

_ANSWERING = (
    FIRST_RESPONSE,
    Measure(
        id="first_response_business_s",
        version=1,
        name="First response, business hours",
        formula="Of the time of a first response, what fell into the hours of its queue.",
        unit=Unit.SECONDS,
        clock=Clock.BUSINESS,
        source=CustomerAnswered.KIND,
        day_by="answered_at",
        of=_spread("first_answer_business", "first_answer_business_ms", ("first_answers_business",)),
        reads=("first_answer_business_ms", "first_answers_business"),
        by=EVERYBODY,
        better=Better.LOWER,
        sketch="first_answer_business",
    ),
    RESOLUTION,
    Measure(
        id="resolution_full_s",
        version=1,
        name="Full resolution",
        formula="From the beginning of the conversation to its last resolution so far: a later one takes the place of this.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=ConversationResolved.KIND,
        day_by="resolved_at",
        of=_spread("resolved_full", "resolved_full_ms", ("resolved_full",)),
        reads=("resolved_full_ms", "resolved_full"),
        by=EVERYBODY,
        better=Better.LOWER,
        sketch="resolved_full",
    ),
    Measure(
        id="resolution_handling_s",
        version=1,
        name="Resolution, time in our court",
        formula="How long the customer waited for us in all until a resolution: from each of their messages to our answer.",
        unit=Unit.SECONDS,
        clock=Clock.WALL,
        source=ConversationResolved.KIND,
        day_by="resolved_at",
        of=_spread("resolved_handling", "resolved_handling_ms", ("resolved_handling",)),
        reads=("resolved_handling_ms", "resolved_handling"),
        by=EVERYBODY,
        better=Better.LOWER,
        sketch="resolved_handling",
    ),
    Measure(
        id="resolved",
        version=1,
        name="Resolved",
        formula="Resolutions, those of conversations that had been opened again included.",
        unit=Unit.COUNT,
        clock=Clock.NONE,
        source=ConversationResolved.KIND,
        day_by="resolved_at",
        of=_count("resolved"),
        reads=("resolved",),
        by=EVERYBODY,
    ),
    Measure(
        id="reopen_rate",
        version=1,
        name="Reopen rate",
        formula=(
            "Resolutions after which the customer opened the conversation again within so many days ÷ resolutions. It belongs"
            " to the day of the resolution, so the latest days may still rise."
        ),
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source=f"{ConversationResolved.KIND}, {ContactBegan.KIND}",
        day_by="resolved_at",
        of=_reopen_rate,
        reads=("resolved", *reopened_within(REPEAT_DAYS[-1])),
        by=EVERYBODY,
        better=Better.LOWER,
        params=("days",),
        beside=(ContactBegan.KIND,),
    ),
    Measure(
        id="fcr",
        version=1,
        name="First contact resolution",
        formula=(
            "Resolutions after which the customer did not come again within so many days, on any channel, about the same"
            " topic ÷ resolutions. The topic is that with which the later request was resolved, else that with which it"
            " began; one that is not known counts as the same. Who turns out to be a customer we knew is that customer. So"
            " figures may still change."
        ),
        unit=Unit.SHARE,
        clock=Clock.WALL,
        source=f"{ConversationResolved.KIND}, {ContactBegan.KIND}, {CustomerJoined.KIND}, {CustomerParted.KIND}",
        day_by="resolved_at",
        of=_fcr,
        reads=("resolved_known", *repeated_within(REPEAT_DAYS[-1])),
        by=EVERYBODY,
        better=Better.HIGHER,
        params=("days",),
        beside=(ContactBegan.KIND, CustomerJoined.KIND, CustomerParted.KIND),
    ),
)

# --- calls, each once ----------------------------------------------------------------------------------------------------


def _of_calls(measure_id: str, name: str, formula: str, counter: str, clock: Clock, better: Better | None) -> Measure:
    return Measure(
        id=measure_id,
        version=1,
        name=name,
        formula=formula,
        unit=Unit.COUNT,
        clock=clock,
        source=CallEnded.KIND,
        day_by="ended_at",
        of=_count(counter),
        reads=(counter,),
        by=QUEUES,
        better=better,
    )


CALLS_OFFERED = _of_calls(
    "calls_offered",
    "Calls offered",
    "Inbound calls that came to wait in a queue, however they ended. Each counts once: on the day it was hung up, in the"
    " queue in which it waited last.",
    "calls_offered",
    Clock.NONE,
    None,
)
CALLS_ANSWERED = _of_calls(
    "calls_answered",
    "Calls answered",
    "Offered calls in which the customer talked with an agent, unless they were passed on and left while waiting again.",
    "calls_answered",
    Clock.NONE,
    None,
)
CALLS_ABANDONED = _of_calls(
    "calls_abandoned",
    "Calls abandoned",
    "Offered calls whose customer left while waiting for an agent, after 5 s or more. Who was led to a voicemail, a"
    " message or a number outside, asked to be called back, or was cut off by a fault of ours did not abandon.",
    "calls_abandoned",
    Clock.WALL,
    Better.LOWER,
)
CALLS_SHORT_ABANDONED = _of_calls(
    "calls_short_abandoned",
    "Short abandons of calls",
    "Offered calls whose customer left after less than 5 s of waiting: no agent could have answered.",
    "calls_short",
    Clock.WALL,
    None,
)
# What asa_queue was in its first version, of calls alone: a call counted once, from its first queue on.
ASA_CALLS = Measure(
    id="asa_calls",
    version=1,
    name="Average speed of answer of calls",
    formula="From joining the first queue to the first agent's answer, of answered calls.",
    unit=Unit.SECONDS,
    clock=Clock.WALL,
    source=CallEnded.KIND,
    day_by="ended_at",
    of=_mean(("calls_wait_ms",), ("calls_answered",)),
    reads=("calls_wait_ms", "calls_answered"),
    by=QUEUES,
    better=Better.LOWER,
)

# --- surveys -------------------------------------------------------------------------------------------------------------


def _returned(cell: Cell, survey: str) -> float | None:
    """Of the surveys sent in this time, how many were answered, whenever."""
    return _ratio(cell[f"{survey}_returned"], cell[f"{survey}_sent"])


def _csat(cell: Cell, _: Params) -> Figure:
    cases = cell["csat"]
    mean = _ratio(cell["csat_sum"], cases)
    return Figure(_ratio(cell["csat_top"], cases), cases, mean=mean, parts={"response_rate": _returned(cell, "csat")})


def _nps(cell: Cell, _: Params) -> Figure:
    cases = cell["nps"]
    score = _ratio(100 * (cell["nps_promoters"] - cell["nps_detractors"]), cases)
    parts = {
        "promoters": _ratio(cell["nps_promoters"], cases),
        "detractors": _ratio(cell["nps_detractors"], cases),
        "response_rate": _returned(cell, "nps"),
    }
    return Figure(score, cases, parts=parts)


def _ces(cell: Cell, _: Params) -> Figure:
    return Figure(_ratio(cell["ces_sum"], cell["ces"]), cell["ces"], parts={"response_rate": _returned(cell, "ces")})


def _survey(
    measure_id: str, name: str, formula: str, unit: Unit, of: Callable[[Cell, Params], Figure], reads: tuple[str, ...]
) -> Measure:
    return Measure(
        id=measure_id,
        version=1,
        name=name,
        formula=formula,
        unit=unit,
        clock=Clock.NONE,
        source=f"{SurveyAnswered.KIND}, {SurveySent.KIND}",
        day_by="answered_at",
        of=of,
        reads=reads,
        by=EVERYBODY,
        better=Better.HIGHER,
    )


CSAT = _survey(
    "csat",
    "Customer satisfaction",
    "Scores of 4 and 5 of 5 ÷ scores; the mean beside it, and how many of the surveys sent in this time came back.",
    Unit.SHARE,
    _csat,
    ("csat", "csat_sum", "csat_top", "csat_sent", "csat_returned"),
)
NPS = _survey(
    "nps",
    "Net promoter score",
    "100 × (scores of 9 and 10 − scores of 0 to 6) ÷ scores, of 0 to 10; between −100 and 100.",
    Unit.POINTS,
    _nps,
    ("nps", "nps_promoters", "nps_detractors", "nps_sent", "nps_returned"),
)
CES = _survey(
    "ces",
    "Customer effort score",
    "The mean of the scores of 1 to 5, 5 being the easiest.",
    Unit.POINTS,
    _ces,
    ("ces", "ces_sum", "ces_sent", "ces_returned"),
)

# --- time of agents ------------------------------------------------------------------------------------------------------


def _ms_ratio(part: str, whole: tuple[str, ...]) -> Callable[[Cell, Params], Figure]:
    """A share of time; its cases are the whole seconds of that time."""

    def of(cell: Cell, _: Params) -> Figure:
        return Figure(_ratio(cell[part], cell.sum(whole)), cell.sum(whole) // 1000)

    return of


def _of_time(
    measure_id: str,
    name: str,
    formula: str,
    unit: Unit,
    of: Callable[[Cell, Params], Figure],
    reads: tuple[str, ...],
) -> Measure:
    return Measure(
        id=measure_id,
        version=1,
        name=name,
        formula=formula,
        unit=unit,
        clock=Clock.WALL,
        source=AgentSpellEnded.KIND,
        day_by="since",
        of=of,
        reads=reads,
        by=PEOPLE,
        has_contacts=False,
    )


def _spent(counter: str) -> Callable[[Cell, Params], Figure]:
    return lambda cell, _: Figure(cell[counter] / 1000, cell[counter] // 1000)


def _load(cell: Cell, _: Params) -> Figure:
    return Figure(_ratio(cell["load_ms"], cell["capacity_ms"]), cell["staffed_ms"] // 1000)


OCCUPANCY = _of_time(
    "occupancy",
    "Occupancy",
    "Time with any work ÷ (time with work + time available without), signed in.",
    Unit.SHARE,
    _ms_ratio("work_ms", ("work_ms", "available_ms")),
    ("work_ms", "available_ms"),
)
LOAD = _of_time(
    "load",
    "Load",
    "Used capacity ÷ capacity, over the time signed in.",
    Unit.SHARE,
    _load,
    ("load_ms", "capacity_ms", "staffed_ms"),
)
WORKED = _of_time(
    "worked_s",
    "Time signed in",
    "Time signed in, in whatever state, breaks included.",
    Unit.SECONDS,
    _spent("staffed_ms"),
    ("staffed_ms",),
)
_TIME = (
    OCCUPANCY,
    LOAD,
    WORKED,
    _of_time(
        "work_s",
        "Time with work",
        "Time signed in with any work at hand.",
        Unit.SECONDS,
        _spent("work_ms"),
        ("work_ms",),
    ),
    _of_time(
        "available_s",
        "Time available",
        "Time available without any work.",
        Unit.SECONDS,
        _spent("available_ms"),
        ("available_ms",),
    ),
    _of_time("away_s", "Time away", "Time away, for whatever reason.", Unit.SECONDS, _spent("away_ms"), ("away_ms",)),
)


def _by_id(measures: Iterable[Measure]) -> Mapping[str, Measure]:
    return {measure.id: measure for measure in measures}


MEASURES: Mapping[str, Measure] = _by_id(
    (
        *SERVICE_LEVELS,
        *_WAITING,
        *_HANDLING,
        *_ANSWERING,
        CALLS_OFFERED,
        CALLS_ANSWERED,
        CALLS_ABANDONED,
        CALLS_SHORT_ABANDONED,
        ASA_CALLS,
        CSAT,
        NPS,
        CES,
        *_TIME,
    )
)

# Formulas that are not in force any more, by id and version: who quotes an old figure finds here what it meant.
RETIRED: Mapping[tuple[str, int], str] = {
    ("asa_queue", 1): ASA_CALLS.formula,
    ("first_response_s", 1): (
        "From the first customer message that nobody had answered to the first reply by a person, once a conversation,"
        " credited to who replied. Automatic replies do not count."
    ),
}
