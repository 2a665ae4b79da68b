"""How long whoever joins a queue will wait: the formula, and how its answers are rounded. Pure.

While something waits that nobody has room for, a queue moves at the pace at which those who serve it come free. Whoever
stands at position n waits for n such moments:

    EWT(n) = max(0, n - f) x seconds per departure

    seconds per departure = (K x H / s + X) / (K + D)

    f   pieces of such work that those who are available have room for now
    D   pieces that were taken from the queue after they had to wait, lately; X: the time in which something had to wait,
        lately (both weighted by exp(-age / TAU_S))
    s   slots: pieces of such work that those at work can hold at once, as far as they are this queue's
    H   the mean time for which a piece occupies its slot
    K   how many departures the staffing is worth as evidence

X / D is the maximum-likelihood estimate of the mean time between the events of a Poisson process that was watched for X
and showed D events; counting only while something waits is what makes it the pace of the queue and not that of its
arrivals. H / s is the same quantity from staffing: s slots that each come free every H. Together they are a gamma prior
worth K events, with what was seen (A. Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.6). In M/M/n, given
that all are busy and somebody stands at position n, the mean wait is n x H / s (N. Gans, G. Koole and A. Mandelbaum,
"Telephone Call Centers", MSOM 5(2), 2003).

What it assumes: those who are ahead are all served and do not hang up; nobody overtakes; staffing stays as it is; the near
past is like the near future. Time that an offer spends ringing is not in it. It is never told without its error
(routing.estimates).

An agent's slots are shared between their queues in proportion to what waits there: where several queues are served in the
order of age by the same people, each then gets the wait of one common line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# A quarter of an hour: long enough to see some departures of a slow queue, short enough to notice that lunch has begun.
TAU_S = 900.0
# Beyond, a departure weighs less than 2 %.
WINDOW_S = 4 * TAU_S
# In the cases of tests/routing/test_waiting.py the error is above the least there is by 14 % with 4, 9 % with 8, 4 % with
# 16 and 1 % with 32; but there the staffing is as it is said to be. Of a real floor what was seen must soon count for more.
PRIOR_DEPARTURES = 16.0
# Whoever was taken sooner found somebody free and says nothing about the pace of those who must wait.
MUST_WAIT_S = 1.0
# What is told of a change: less is not worth a look.
_STEP_S = 10.0
_STEP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay in a queue, in seconds before now. `taken_s` None: still waits. `was_answered` False: gone in another way."""

    joined_s: float
    taken_s: float | None
    was_answered: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """How the queue has moved lately: D and X of the formula."""

    departures: float = 0.0
    waiting_s: float = 0.0

    def after(self, elapsed_s: float, *, something_waited: bool) -> Pace:
        """So much later, in which something had to wait all the time, or nothing."""
        fading = math.exp(-elapsed_s / TAU_S)
        return Pace(
            self.departures * fading,
            self.waiting_s * fading + (TAU_S * (1 - fading) if something_waited else 0.0),
        )

    def departed(self) -> Pace:
        return Pace(self.departures + 1, self.waiting_s)


def measure_pace(visits: Iterable[Visit]) -> Pace:
    """The pace that these stays show. Who had not to wait counts for nothing; times in which several waited count once."""
    departures = 0.0
    spans: list[tuple[float, float]] = []
    for visit in visits:
        until_s = max(visit.taken_s or 0.0, 0.0)
        since_s = min(visit.joined_s, WINDOW_S)
        if visit.joined_s - until_s < MUST_WAIT_S or until_s >= since_s:
            continue
        spans.append((since_s, until_s))
        if visit.taken_s is not None and visit.was_answered:
            departures += math.exp(-until_s / TAU_S)
    waiting_s = 0.0
    # From the oldest on; `reached_s` is how far back from now has been counted already.
    reached_s = math.inf
    for since_s, until_s in sorted(spans, reverse=True):
        begin_s = min(since_s, reached_s)
        if until_s < begin_s:
            waiting_s += TAU_S * (math.exp(-until_s / TAU_S) - math.exp(-begin_s / TAU_S))
            reached_s = until_s
    return Pace(departures, waiting_s)


@dataclass(frozen=True, slots=True)
class Server:
    """Somebody at work who may serve the queue: in which queues they are, and how many pieces of its work they can hold."""

    queue_ids: frozenset[int]
    slots: float
    count: int = 1


def shared_slots(queue_id: int, servers: Iterable[Server], waiting: Mapping[int, int]) -> float:
    """s of the formula for whoever joins the queue now: each one's slots, shared between their queues by what waits there
    (`waiting`: queue → how much)."""
    mine = waiting.get(queue_id, 0) + 1
    slots = 0.0
    for server in servers:
        theirs = sum(waiting.get(other, 0) for other in server.queue_ids if other != queue_id)
        slots += server.count * server.slots * mine / (mine + theirs)
    return slots


def departure_s(pace: Pace, slots: float, handle_s: float | None) -> float | None:
    """Seconds per departure. None: nobody is at work, or there is nothing to go by."""
    if slots <= 0:
        return None
    if handle_s is None:
        # One departure is an anecdote, two are the least that has a time between them.
        return pace.waiting_s / pace.departures if pace.departures >= 1.5 else None
    prior_s = PRIOR_DEPARTURES * handle_s / slots
    return (prior_s + pace.waiting_s) / (PRIOR_DEPARTURES + pace.departures)


def estimate_wait_s(position: int, free: int, pace: Pace, slots: float, handle_s: float | None) -> float | None:
    """The estimated wait at this position (1 is next). 0 if there is room for it now; None if nothing can be said."""
    if slots > 0 and free >= position:
        return 0.0
    each_s = departure_s(pace, slots, handle_s)
    return None if each_s is None else (position - max(free, 0)) * each_s


def at_position(joining_ewt_s: float | None, position: int, waiting: int) -> float | None:
    """The estimated wait at a position, from that of whoever joins now, behind `waiting` others."""
    if joining_ewt_s is None:
        return None
    return joining_ewt_s * (min(position, waiting + 1) / (waiting + 1))


def is_worth_telling(told_s: float | None, now_s: float | None) -> bool:
    """Whether an estimate differs from the one that was told last by so much that somebody should hear of it."""
    if told_s is None or now_s is None:
        return told_s is not now_s
    if (told_s == 0) != (now_s == 0):
        return True
    return abs(now_s - told_s) >= max(_STEP_S, _STEP_SHARE * told_s)


# Up to so many seconds, in such steps: people take a precise figure for a promise.
_ROUNDED: Sequence[tuple[float, int]] = ((600, 60), (3_600, 300), (math.inf, 900))


def rounded_wait_s(ewt_s: float) -> int:
    """As a customer is told: up to whole minutes, five minutes, quarters of an hour; never less than a minute."""
    step_s = next(step_s for until_s, step_s in _ROUNDED if ewt_s <= until_s)
    return max(math.ceil(ewt_s / step_s), 1) * step_s
