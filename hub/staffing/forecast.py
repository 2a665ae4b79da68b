"""How many contacts will come in each quarter of an hour, from those that came; and how far such forecasts were off.

    history (days of 96 quarters) → level × weekday × share of the quarter → forecast of the days ahead
    forecast + what then came → accuracy: WAPE, bias, and what chance alone would have made

The method ("weekday_level_1"), in words:
  * A day's total is level × weekday factor. Both follow the days by exponential smoothing (Holt and Winters with a season of
    seven days and no trend), made robust as in Gelper, Fried and Croux, "Robust Forecasting with Exponential and
    Holt-Winters Smoothing", Journal of Forecasting 29, 2010: a day that is further off than twice the usual error moves
    them only as far as that. The third such day in a row and in the same direction is a change, not an outlier, and moves
    them in full. How fast the level follows (alpha) is what would have foretold the days so far best.
  * A day's total is spread by the shares of the quarters on that weekday, recent weeks counting more, each quarter cut at
    three standard deviations of Poisson around its median. Where a weekday has few contacts its shares are drawn towards
    those of all weekdays.
  * Special days of the calendar teach nothing about ordinary ones. Of quarters that such a day closes, the share of the
    usual is expected that came on closed special days before; none, if there were none.

Why so simple: beyond a day ahead seasonal averages are hard to beat for arrivals at call centres (Taylor, "A Comparison of
Univariate Time Series Methods for Forecasting Intraday Arrivals at a Call Center", Management Science 54(2), 2008; Ibrahim,
Ye, L'Ecuyer and Shen, "Modeling and Forecasting Call Center Arrivals: A Literature Survey", International Journal of
Forecasting 32(3), 2016). The back-test says whether it beats the same weekday of the week before.

Pure: values in, values out. Quarters are those of the clock on the wall, so a day in which the clocks change has 96, too:
one that was skipped is None, one that came twice holds the mean of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, lgamma, log, sqrt
from statistics import median

METHOD = "weekday_level_1"
QUARTERS = 96
# Below two weeks no weekday has come twice, and its factor would be one day's accident.
MIN_DAYS = 14
# Older days are about another year's customers; twelve weeks give each weekday twelve.
HISTORY_DAYS = 84
# How fast the level may follow, from "hardly" to "at once".
_ALPHAS = (0.05, 0.1, 0.2, 0.4)
# A weekday comes once a week: its factor follows that much of what the day was off.
_GAMMA = 0.1
# Gelper, Fried and Croux 2010: errors count up to twice the scale; the scale itself follows by 0.3 and is corrected for
# the cut by 2.52.
_CUT, _SCALE_CORRECTION, _SCALE_FOLLOWS = 2.0, 2.52, 0.3
_CHANGE_AFTER = 3
# A week-old day of the same weekday counts for so much less; seven weeks count for half.
_FADES = 0.9
# As many contacts of all weekdays stand behind each weekday's own shares.
_SHARED_CONTACTS = 200.0
# 1 4 6 4 1: the shares of all weekdays are smoothed over an hour or so.
_KERNEL = ((-2, 1 / 16), (-1, 4 / 16), (0, 6 / 16), (1, 4 / 16), (2, 1 / 16))


@dataclass(frozen=True, slots=True)
class PastDay:
    """What came on a day, by quarters of the clock on the wall; None: that quarter was not, or nobody knows what came.
    `closed`: the quarters that a special day of the calendar closes though its weekday is open; `is_special`: it is one."""

    day: date
    counts: tuple[float | None, ...]
    is_special: bool = False
    closed: frozenset[int] = frozenset()

    @property
    def is_ordinary(self) -> bool:
        return not self.is_special and None not in self.counts

    @property
    def total(self) -> float:
        return sum(count for count in self.counts if count is not None)


@dataclass(frozen=True, slots=True)
class DayAhead:
    """A day to be foretold; `closed` as in PastDay."""

    day: date
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Fit:
    """What the history says. `weekdays`: factors, Monday first; `shares`: of each weekday, 96 that add up to 1 (or are all
    0); `closed_factor`: what comes in closed quarters of special days, of what usually does."""

    level: float
    alpha: float
    weekdays: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    closed_factor: float

    def expected(self, ahead: DayAhead) -> tuple[float, ...]:
        weekday = ahead.day.weekday()
        total = self.level * self.weekdays[weekday]
        return tuple(
            total * share * (self.closed_factor if quarter in ahead.closed else 1.0)
            for quarter, share in enumerate(self.shares[weekday])
        )


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far forecasts were off over `intervals`. `wape`: Σ|forecast − actual| ÷ Σ actual; `bias`: Σ(forecast − actual) ÷
    Σ actual, above 0: too many were foretold; None if nothing came. `chance`: the WAPE that a forecast of the true
    expectation would have had, since arrivals are Poisson: nobody gets below it."""

    intervals: int
    actual: float
    wape: float | None
    bias: float | None
    chance: float | None


@dataclass(frozen=True, slots=True)
class BackTest:
    """The method tried on the past: each of `days` foretold `lead_days` ahead from what was known then. `naive`: the same
    days foretold by what came a week (or as many weeks as the lead needs) before."""

    days: int
    lead_days: int
    accuracy: Accuracy
    naive: Accuracy


def fit(history: Sequence[PastDay]) -> Fit | None:
    """From the last HISTORY_DAYS of `history` (in order of days); None if they are fewer than MIN_DAYS ordinary ones, or
    nothing ever came."""
    if not history:
        return None
    first = history[-1].day - timedelta(days=HISTORY_DAYS - 1)
    days = [day for day in history if day.day >= first]
    ordinary = [day for day in days if day.is_ordinary]
    if len(ordinary) < MIN_DAYS or not any(day.total for day in ordinary):
        return None
    paths = [_follow(ordinary, alpha) for alpha in _ALPHAS]
    best = min(paths, key=lambda path: path.error)
    usual = [day for day in ordinary if day.day not in best.outliers]
    pooled = _smoothed(_shares(usual, ordinary[-1].day))
    shares = tuple(
        _drawn([day for day in usual if day.day.weekday() == weekday], pooled, ordinary[-1].day) for weekday in range(7)
    )
    found = Fit(best.level, best.alpha, best.weekdays, shares, 0.0)
    return Fit(best.level, best.alpha, best.weekdays, shares, _closed_factor(found, days))


def accuracy(pairs: Iterable[tuple[float, float]]) -> Accuracy:
    """Of (forecast, actual) for each interval."""
    intervals, off, bias, actual, foretold, chance = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for expected, came in pairs:
        intervals += 1
        off += abs(expected - came)
        bias += expected - came
        actual += came
        foretold += expected
        chance += _poisson_deviation(expected)
    if actual <= 0:
        return Accuracy(intervals, actual, None, None, None)
    return Accuracy(intervals, actual, off / actual, bias / actual, chance / foretold if foretold > 0 else None)


def back_test(history: Sequence[PastDay], *, days: int = 28, lead_days: int = 1) -> BackTest | None:
    """Rolling origin: each of the last `days` ordinary days, foretold from the days up to `lead_days` before it and no
    other. None if there is too little history for a single one."""
    by_day = {day.day: day for day in history}
    own: list[tuple[float, float]] = []
    naive: list[tuple[float, float]] = []
    tried = 0
    for target in [day for day in history if day.is_ordinary][-days:]:
        origin = target.day - timedelta(days=lead_days)
        before = by_day.get(target.day - timedelta(days=7 * -(-lead_days // 7)))
        found = fit([day for day in history if day.day <= origin])
        if found is None or before is None or not before.is_ordinary:
            continue
        tried += 1
        came = [count or 0.0 for count in target.counts]
        own += zip(found.expected(DayAhead(target.day)), came, strict=True)
        naive += zip([count or 0.0 for count in before.counts], came, strict=True)
    return BackTest(tried, lead_days, accuracy(own), accuracy(naive)) if tried else None


# --- totals of days -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Path:
    """Where the smoothing ended. `error`: the sum of how far it was off one day ahead, cut."""

    alpha: float
    level: float
    weekdays: tuple[float, ...]
    outliers: frozenset[date]
    error: float


def _follow(days: Sequence[PastDay], alpha: float) -> _Path:
    level, weekdays = _beginning(days)
    scale = _beginning_scale(days, level, weekdays)
    outliers: set[date] = set()
    in_row, direction, error = 0, 0.0, 0.0
    for day in days:
        weekday = day.day.weekday()
        factor = weekdays[weekday]
        if factor <= 0 or level <= 0:
            # The weekday is closed, as a rule. One on which something came again begins anew.
            weekdays[weekday] += _GAMMA * (day.total / level - factor) if level > 0 else 0.0
            continue
        off = day.total - level * factor
        # Errors of a large weekday are large: they are measured as shares of what is usual on it.
        relative = off / factor
        limit = _CUT * scale
        cut = max(-limit, min(limit, relative))
        is_far = abs(relative) > limit
        sign = 1.0 if relative > 0 else -1.0
        in_row = in_row + 1 if is_far and sign == direction else int(is_far)
        direction = sign if is_far else 0.0
        if is_far and in_row >= _CHANGE_AFTER:
            cut = relative
        elif is_far:
            outliers.add(day.day)
        error += abs(cut)
        rho = min((relative / scale) ** 2, _CUT**2) * _SCALE_CORRECTION / 2 if scale > 0 else 1.0
        scale *= sqrt(_SCALE_FOLLOWS * rho + 1 - _SCALE_FOLLOWS)
        level = max(0.0, level + alpha * cut)
        if level > 0:
            weekdays[weekday] = max(0.0, factor + _GAMMA * cut * factor / level)
    mean = sum(weekdays) / 7
    if mean > 0:
        level, weekdays = level * mean, [factor / mean for factor in weekdays]
    return _Path(alpha, level, tuple(weekdays), frozenset(outliers), error)


def _beginning(days: Sequence[PastDay]) -> tuple[float, list[float]]:
    """Level and weekday factors to begin with: medians, which no single day moves."""
    by_weekday: list[list[float]] = [[] for _ in range(7)]
    # The first four weeks; a short history all of it.
    for day in days[: max(MIN_DAYS, 28)]:
        by_weekday[day.day.weekday()].append(day.total)
    usual = [median(totals) if totals else 0.0 for totals in by_weekday]
    level = sum(usual) / 7
    if level <= 0:
        level = sum(day.total for day in days) / len(days)
        return level, [1.0] * 7
    return level, [each / level for each in usual]


def _beginning_scale(days: Sequence[PastDay], level: float, weekdays: Sequence[float]) -> float:
    off = [
        abs(day.total / weekdays[day.day.weekday()] - level)
        for day in days[: max(MIN_DAYS, 28)]
        if weekdays[day.day.weekday()] > 0
    ]
    # The median of absolute errors × 1.4826 is the standard deviation of normal ones; no day is surer than Poisson.
    return max(1.4826 * median(off) if off else 0.0, sqrt(level), 1e-9)


# --- shares of quarters ---------------------------------------------------------------------------------------------------


def _weighted(days: Sequence[PastDay], last: date) -> list[float]:
    """How much came in each quarter, recent weeks counting more, single quarters cut where they leave what is usual."""
    sums = [0.0] * QUARTERS
    for quarter in range(QUARTERS):
        counts = [day.counts[quarter] or 0.0 for day in days]
        usual = median(counts)
        reach = 3 * max(1.0, sqrt(usual))
        for day, count in zip(days, counts, strict=True):
            weight = _FADES ** ((last - day.day).days / 7)
            sums[quarter] += weight * max(usual - reach, min(usual + reach, count))
    return sums


def _shares(days: Sequence[PastDay], last: date) -> list[float]:
    if not days:
        return [0.0] * QUARTERS
    # Each weekday by itself, since what is usual on one is an outlier on another.
    sums = [0.0] * QUARTERS
    for weekday in range(7):
        of_weekday = [day for day in days if day.day.weekday() == weekday]
        if of_weekday:
            sums = [a + b for a, b in zip(sums, _weighted(of_weekday, last), strict=True)]
    total = sum(sums)
    return [each / total for each in sums] if total > 0 else [0.0] * QUARTERS


def _smoothed(shares: Sequence[float]) -> list[float]:
    """Over time in which anything comes: nothing is moved into the night."""
    smooth = [0.0] * QUARTERS
    for quarter, share in enumerate(shares):
        if share <= 0:
            continue
        near = [(quarter + step, weight) for step, weight in _KERNEL if shares[(quarter + step) % QUARTERS] > 0]
        total = sum(weight for _, weight in near)
        for place, weight in near:
            smooth[place % QUARTERS] += share * weight / total
    return smooth


def _drawn(days: Sequence[PastDay], pooled: Sequence[float], last: date) -> tuple[float, ...]:
    own = _weighted(days, last) if days else [0.0] * QUARTERS
    behind = sum(own) + _SHARED_CONTACTS
    drawn = [(count + _SHARED_CONTACTS * share) / behind for count, share in zip(own, pooled, strict=True)]
    total = sum(drawn)
    return tuple(share / total for share in drawn) if total > 0 else (0.0,) * QUARTERS


def _closed_factor(found: Fit, days: Sequence[PastDay]) -> float:
    usual = came = 0.0
    for day in days:
        expected = found.expected(DayAhead(day.day)) if day.closed else ()
        for quarter in day.closed:
            count = day.counts[quarter]
            if count is not None:
                usual += expected[quarter]
                came += count
    return min(1.0, came / usual) if usual > 0 else 0.0


def _poisson_deviation(mean: float) -> float:
    """E|X − λ| of Poisson: 2·e^−λ·λ^(⌊λ⌋+1) ÷ ⌊λ⌋! (Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 2005,
    section 4.3)."""
    if mean <= 0:
        return 0.0
    whole = int(mean)
    return 2 * exp((whole + 1) * log(mean) - mean - lgamma(whole + 1))
