"""What a simulation found, as a table for the terminal and as a chart (SVG, written here; or a page with it).

Figures stand with the half-width of their 95 % interval of confidence. The chart shows for each queue, policy by policy, the
service level and the share of those who hung up (bars with their intervals), and how many were answered within what time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from html import escape

from hub.routing.simulate import Estimate, Figures

_WIDTH, _PANEL, _ROW = 960, 400, 250
_TOP = 70
# Told apart by those who see no red or green, too (Okabe and Ito 2008).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#b0a000")
_STEPS = 60


def table(results: Sequence[Figures]) -> str:
    """One block for each queue and one for the staff, a line for each policy."""
    blocks = []
    for index, queue in enumerate(results[0].queues):
        lines = [
            [
                f"queue {queue.name}",
                "contacts",
                f"within {results[0].service_level_s:g} s",
                "hung up",
                "mean wait",
                "median",
                "p90",
                "longest",
                "overtakes",
                "EWT off by",
            ]
        ]
        for result in results:
            each = result.queues[index]
            lines.append(
                [
                    f"  {result.policy}",
                    f"{each.offered:,}",
                    _share(each.service_level),
                    _share(each.abandonment),
                    _seconds(each.mean_wait_s),
                    _plain(each.median_wait_s),
                    _plain(each.p90_wait_s),
                    _plain(each.longest_wait_s),
                    "–" if each.overtakes_share is None else f"{each.overtakes_share:.1%}",
                    _seconds(each.estimate_error_s),
                ]
            )
        blocks.append(_aligned(lines))
    lines = [["staff", "agents", "occupancy", "spread"]]
    for result in results:
        lines.extend(
            [f"  {result.policy}: {group.name}", str(group.count), _share(group.occupancy), _share(group.spread)]
            for group in result.staff
        )
    blocks.append(_aligned(lines))
    return "\n\n".join(blocks)


def page(title: str, results: Sequence[Figures]) -> str:
    """The chart and the table as one HTML page that needs nothing else."""
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        "<style>body{font:15px system-ui,sans-serif;margin:2rem}pre{overflow:auto}svg{max-width:100%;height:auto}</style>"
        f"</head><body>\n{svg(title, results)}\n<pre>{_text(table(results))}</pre>\n</body></html>\n"
    )


def svg(title: str, results: Sequence[Figures]) -> str:
    """A chart of its own, 960 wide."""
    names = [queue.name for queue in results[0].queues]
    height = _TOP + _ROW * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="12" role="img">',
        f"<title>{_text(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _label(20, 28, title, size=18),
    ]
    left = 20.0
    for number, result in enumerate(results):
        parts.append(f'<rect x="{left:.0f}" y="42" width="12" height="12" fill="{_colour(number)}"/>')
        parts.append(_label(left + 17, 52, result.policy))
        left += 34 + 7 * len(result.policy)
    for index, name in enumerate(names):
        top = _TOP + _ROW * index
        parts.append(_label(20, top + 22, name, size=14))
        parts.extend(_bars(results, index, 60, top + 40))
        parts.extend(_curves(results, index, 520, top + 40))
    parts.append("</svg>")
    return "\n".join(parts)


def _bars(results: Sequence[Figures], index: int, left: float, top: float) -> Iterable[str]:
    tall = _ROW - 90.0
    yield from _frame(left, top, tall, [(f"{mark} %", mark / 100) for mark in (0, 25, 50, 75, 100)])
    asked = (
        (f"within {results[0].service_level_s:g} s", [result.queues[index].service_level for result in results]),
        ("hung up", [result.queues[index].abandonment for result in results]),
    )
    for group, (words, estimates) in enumerate(asked):
        begins = left + 20 + group * (_PANEL / 2)
        wide = (_PANEL / 2 - 40) / len(estimates)
        yield _label(begins, top + tall + 18, words)
        for number, estimate in enumerate(estimates):
            if estimate.mean is None:
                continue
            x, high = begins + number * wide, tall * _within(estimate.mean)
            yield (
                f'<rect x="{x:.1f}" y="{top + tall - high:.1f}" width="{wide * 0.8:.1f}" height="{high:.1f}"'
                f' fill="{_colour(number)}"/>'
            )
            half = estimate.half or 0.0
            middle = x + wide * 0.4
            yield _line(
                [
                    (middle, top + tall * (1 - _within(estimate.mean + half))),
                    (middle, top + tall * (1 - _within(estimate.mean - half))),
                ],
                "#333333",
            )


def _curves(results: Sequence[Figures], index: int, left: float, top: float) -> Iterable[str]:
    """The share of those answered who had waited at most so long."""
    tall = _ROW - 90.0
    longest = max((result.queues[index].p90_wait_s or 0.0 for result in results), default=0.0)
    longest = max(longest * 1.3, 2 * results[0].service_level_s, 1.0)
    yield from _frame(left, top, tall, [(f"{mark} %", mark / 100) for mark in (0, 50, 90, 100)])
    yield _label(left, top - 18, "of those answered, so many had waited at most so long")
    for fifth in range(6):
        yield _label(left + fifth * (_PANEL - 20) / 5, top + tall + 18, f"{longest * fifth / 5:.0f} s")
    for number, result in enumerate(results):
        waits = result.waits[index]
        if not waits:
            continue
        points = []
        for step in range(_STEPS + 1):
            share = bisect_right(waits, longest * step / _STEPS) / len(waits)
            points.append((left + (_PANEL - 20) * step / _STEPS, top + tall * (1 - share)))
        yield _line(points, _colour(number), wide=2)


def _frame(left: float, top: float, tall: float, marks: Sequence[tuple[str, float]]) -> Iterable[str]:
    for words, share in marks:
        y = top + tall * (1 - share)
        yield _line([(left, y), (left + _PANEL - 20, y)], "#dddddd")
        yield _label(left - 40, y + 4, words)


def _line(points: Sequence[tuple[float, float]], colour: str, wide: float = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{wide:g}"/>'


def _label(x: float, y: float, words: str, size: int = 12) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="#222222">{_text(words)}</text>'


def _text(words: str) -> str:
    """As XML may hold it: control characters and lone surrogates are in no name that anybody reads."""
    kept = "".join(
        each
        for each in words
        if each in "\n\t" or (each >= " " and not "\ud800" <= each <= "\udfff" and each < "\ufffe")
    )
    return escape(kept)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _share(estimate: Estimate) -> str:
    if estimate.mean is None:
        return "–"
    return f"{estimate.mean:.1%}" + ("" if estimate.half is None else f" ±{estimate.half * 100:.1f}")


def _seconds(estimate: Estimate) -> str:
    if estimate.mean is None:
        return "–"
    return f"{estimate.mean:.1f} s" + ("" if estimate.half is None else f" ±{estimate.half:.1f}")


def _plain(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.0f} s"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    )
