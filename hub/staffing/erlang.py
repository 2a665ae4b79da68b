"""How many agents a load needs, and what a number of agents makes of it: Erlang C and Erlang A.

    Load (contacts, handle time, patience) + agents → Staffed (service level, speed of answer, abandonment, occupancy)
    Load + Target → required agents → with shrinkage → scheduled agents

Both models take arrivals as Poisson, handle times and patience as exponential, and each interval as if it were steady
(M/M/n and M/M/n+M, interval by interval). In Erlang C everybody waits, however long; it says too much where people hang
up. In Erlang A each customer has a patience, and what is offered never piles up without end. Work that waits for hours
by nature (mail) is no queue in this sense: its agents follow from its hours of work alone.

Sources:
  * Gans, Koole, Mandelbaum, "Telephone Call Centers: Tutorial, Review, and Research Prospects", MSOM 5(2), 2003.
  * Garnett, Mandelbaum, Reiman, "Designing a Call Center with Impatient Customers", MSOM 4(3), 2002.
  * Mandelbaum, Zeltyn, "Service Engineering in Action: The Palm/Erlang-A Queue, with Applications to Call Centers", 2007.
  * Green, Kolesar, Soares, "Improving the SIPP Approach for Staffing Service Systems…", Operations Research 49(4), 2001:
    what is lost by taking each interval as steady.

Pure: values in, values out. Every sum begins at its largest term and goes outwards, and what may be too large for a
float is kept as a logarithm, so that 1 and 2,000 agents are the same to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, exp, expm1, floor, lgamma, log, sqrt

from hub.domain.calls import SHORT_ABANDON_S

# What may be asked for. Beyond these a figure would be computed for nobody.
MAX_AGENTS = 2_000
MAX_CONCURRENCY = 20
# In Erlang C what is offered must be less than what all agents can do; between is kept this share, lest a queue
# that clears in a year counts as stable.
_LEAST_SPARE = 1e-9
# Terms smaller than this, relative to the largest, change no digit of a float.
_NEGLIGIBLE = 1e-18


class Model(StrEnum):
    ERLANG_C = "erlang_c"
    ERLANG_A = "erlang_a"


@dataclass(frozen=True, slots=True)
class Load:
    """What comes: `contacts` in `interval_s`, each taking `aht_s`. `patience_s`: how long customers wait on average before
    they hang up; None: for ever. `concurrency`: how many of them an agent handles at once (chats); `aht_s` is then what
    one takes beside the others."""

    contacts: float
    aht_s: float
    interval_s: float = 900.0
    patience_s: float | None = None
    concurrency: int = 1

    @property
    def erlangs(self) -> float:
        """How many contacts would be in hand at once if nobody had to wait."""
        return self.contacts * self.aht_s / self.interval_s

    @property
    def model(self) -> Model:
        return Model.ERLANG_C if self.patience_s is None else Model.ERLANG_A


@dataclass(frozen=True, slots=True)
class Target:
    """What has to hold, each part that is not None: at least `service_level` answered in `within_s`, a mean speed of
    answer of at most `asa_s`, at most `abandonment` hanging up, agents busy for at most `occupancy` of their time."""

    service_level: float | None = 0.8
    within_s: float = 20.0
    asa_s: float | None = None
    abandonment: float | None = None
    occupancy: float | None = None


@dataclass(frozen=True, slots=True)
class Staffed:
    """What `agents` make of a load. Shares are 0 to 1. `asa_s`: mean wait of those answered; None: the queue grows without
    end (`is_stable` False) or nobody is answered. `service_level` is the registry's: answered in time ÷ (offered −
    hung up within 5 s). `abandonment`: all that hang up ÷ offered."""

    agents: int
    model: Model
    is_stable: bool
    waiting_probability: float
    service_level: float
    asa_s: float | None
    abandonment: float
    occupancy: float

    def reaches(self, target: Target) -> bool:
        return (
            self.is_stable
            and (target.service_level is None or self.service_level >= target.service_level)
            and (target.asa_s is None or (self.asa_s is not None and self.asa_s <= target.asa_s))
            and (target.abandonment is None or self.abandonment <= target.abandonment)
            and (target.occupancy is None or self.occupancy <= target.occupancy)
        )


def staffed(load: Load, agents: int, within_s: float = 20.0) -> Staffed:
    """What so many agents make of the load; `within_s` is the T of the service level."""
    if load.erlangs <= 0:
        return Staffed(agents, load.model, True, 0.0, 1.0, 0.0, 0.0, 0.0)
    servers = agents * load.concurrency
    if load.patience_s is None:
        return _erlang_c(load, agents, servers, within_s)
    if servers == 0:
        # Nobody is answered; who has not lost patience within the short bound counts as offered.
        return Staffed(0, load.model, True, 1.0, 0.0, None, 1.0, 1.0)
    return _erlang_a(load, agents, servers, load.patience_s, within_s)


def required_agents(load: Load, target: Target) -> int | None:
    """The fewest agents with whom the target is reached; None: more than MAX_AGENTS. Every figure only gets better with
    each further agent, so the first that fits is looked for by halves."""
    if load.erlangs <= 0:
        return 0
    # From offered load + its square root on (the square-root rule), in growing steps: agents are few, as a rule.
    too_few, enough = -1, max(1, ceil((load.erlangs + sqrt(load.erlangs)) / load.concurrency))
    while not staffed(load, min(enough, MAX_AGENTS), target.within_s).reaches(target):
        if enough >= MAX_AGENTS:
            return None
        too_few, enough = enough, enough * 2
    enough = min(enough, MAX_AGENTS)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if staffed(load, middle, target.within_s).reaches(target):
            enough = middle
        else:
            too_few = middle
    return enough


def with_shrinkage(agents: int, shrinkage: float) -> int:
    """How many must be scheduled for `agents` to be there, when `shrinkage` (0 ≤ … < 1) of paid time goes to breaks,
    training, sickness."""
    # 14 ÷ 0.7 is 20, also where the machine's 0.7 makes it 20.000000000000004.
    return ceil(round(agents / (1 - shrinkage), 9))


def erlang_b(servers: int, erlangs: float) -> float:
    """The share that finds all servers busy if nobody waits: B(0) = 1, B(n) = a·B(n−1) ÷ (n + a·B(n−1)). Each step is a
    share, so nothing grows and nothing is subtracted."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = erlangs * blocked / (n + erlangs * blocked)
    return blocked


# --- Erlang C -------------------------------------------------------------------------------------------------------------


def _erlang_c(load: Load, agents: int, servers: int, within_s: float) -> Staffed:
    """P(wait) = n·B ÷ (n − a·(1 − B)); the wait of those who wait is exponential with (n − a) ÷ AHT."""
    offered = load.erlangs
    if offered >= servers * (1 - _LEAST_SPARE):
        return Staffed(agents, Model.ERLANG_C, False, 1.0, 0.0, None, 0.0, 1.0)
    blocked = erlang_b(servers, offered)
    waits = servers * blocked / (servers - offered * (1 - blocked))
    per_s = (servers - offered) / load.aht_s
    level = 1 - waits * exp(-per_s * within_s)
    return Staffed(agents, Model.ERLANG_C, True, waits, level, waits / per_s, 0.0, offered / servers)


# --- Erlang A -------------------------------------------------------------------------------------------------------------
# With x = n·μ ÷ θ (what all can do, in contacts per patience) and y = λ ÷ θ (what comes, per patience), everything is
# made of one series: S(s, z) = 1 + Σ z^k ÷ ((s+1)…(s+k)), of which the lower incomplete gamma function is γ(s, z) =
# z^s·e^−z·S(s, z) ÷ s. Palm's A(x, y) is S(x, y) (Mandelbaum and Zeltyn 2007, section 3).


def _erlang_a(load: Load, agents: int, servers: int, patience_s: float, within_s: float) -> Staffed:
    capacity = servers * patience_s / load.aht_s
    arriving = load.contacts * patience_s / load.interval_s
    blocked = erlang_b(servers, load.erlangs)
    series = _series(capacity, arriving)
    # P(wait) = A·B ÷ (1 + (A − 1)·B), divided by A, which may be too large for a float.
    waits = blocked / (blocked + (1 - blocked) * exp(-series)) if blocked else 0.0
    # P(hang up | wait) = 1 ÷ (ρA) + 1 − 1 ÷ ρ with ρ = y ÷ x.
    gives_up = min(1.0, max(0.0, capacity / arriving * (exp(-series) - 1) + 1))
    abandoned = waits * gives_up
    answered_late = waits - abandoned
    # The wait one would have had with endless patience has the density λ·p(n−1)·exp(y·(1 − e^−θt) − n·μ·t) (Zeltyn and
    # Mandelbaum 2005); whoever is answered after t has also kept patience, e^−θt. Both integrals are γ(…, y·e^−θt).
    longer = _beyond(capacity + 1, arriving, within_s / patience_s)
    in_time = (1 - waits) + answered_late * (1 - longer)
    early = SHORT_ABANDON_S / patience_s
    at_bound = answered_late * (1 - _beyond(capacity + 1, arriving, early))
    still_there = waits * _beyond(capacity, arriving, early)
    # Who hangs up within the bound: those whose patience ends there while their wait goes on. ∫ θe^−θr·P(V > r) dr, by
    # parts: (1 − e^−θt)·P(V > t) + P(0 < V ≤ t) − P(answered after 0 < V ≤ t).
    short = max(0.0, -expm1(-early) * still_there + (waits - still_there) - at_bound)
    offered = 1 - min(short, abandoned)
    answered = 1 - abandoned
    asa_s = (
        _answered_wait_s(capacity, arriving, waits, series, load.aht_s / servers) / answered if answered > 0 else None
    )
    return Staffed(
        agents,
        Model.ERLANG_A,
        True,
        waits,
        min(1.0, in_time / offered) if offered > 0 else 0.0,
        asa_s,
        abandoned,
        min(1.0, load.erlangs * answered / servers),
    )


def _series(s: float, z: float) -> float:
    """ln S(s, z)."""
    top = max(0, floor(z - s))
    total, term, k = 1.0, 1.0, top
    while term > _NEGLIGIBLE:
        k += 1
        term *= z / (s + k)
        total += term
    term, k = 1.0, top
    while k > 0 and term > _NEGLIGIBLE:
        term *= (s + k) / z
        total += term
        k -= 1
    return _log_term(s, z, top) + log(total)


def _log_term(s: float, z: float, k: int) -> float:
    """ln of z^k ÷ ((s+1)…(s+k))."""
    return k * log(z) - lgamma(s + k + 1) + lgamma(s + 1) if k else 0.0


def _beyond(s: float, y: float, patiences: float) -> float:
    """γ(s, y·e^−t) ÷ γ(s, y) with t in patiences: the share of what the integral of e^(y(1−e^−t) − s·t) has beyond t."""
    rest = y * exp(-patiences)
    exponent = -patiences * s - y * expm1(-patiences)
    if rest <= 0:
        return 0.0
    return min(1.0, exp(min(0.0, exponent + _series(s, rest) - _series(s, y))))


def _answered_wait_s(x: float, y: float, waits: float, series: float, step_s: float) -> float:
    """E[wait; answered] in seconds. Who comes when k wait already is answered after k + 1 steps, the i-th with the rate
    n·μ + i·θ if all keep patience, and keeps it with n·μ ÷ (n·μ + (k+1)·θ); so the sum over k of
    p(n+k)·(x ÷ (x+k+1))·Σ 1 ÷ (x+i), i = 1…k+1. `step_s`: 1 ÷ (n·μ)."""
    top = max(0, floor(y - x))
    patience_s = step_s * x

    def weigh(k: int, term: float, steps: float) -> float:
        return term * x / (x + k + 1) * steps

    steps_to_top = _digamma(x + top + 2) - _digamma(x + 1)
    total, term, steps, k = weigh(top, 1.0, steps_to_top), 1.0, steps_to_top, top
    while term > _NEGLIGIBLE:
        k += 1
        term *= y / (x + k)
        steps += 1 / (x + k + 1)
        total += weigh(k, term, steps)
    term, steps, k = 1.0, steps_to_top, top
    while k > 0 and term > _NEGLIGIBLE:
        term *= (x + k) / y
        steps -= 1 / (x + k + 1)
        k -= 1
        total += weigh(k, term, steps)
    return waits * exp(_log_term(x, y, top) - series) * total * patience_s


def _digamma(z: float) -> float:
    """ψ(z) for z > 0: upwards by ψ(z) = ψ(z+1) − 1 ÷ z, then the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18)."""
    below = 0.0
    while z < 10:
        below -= 1 / z
        z += 1
    inverse = 1 / (z * z)
    return below + log(z) - 0.5 / z - inverse * (1 / 12 - inverse * (1 / 120 - inverse / 252))
