"""What a benchmark says: rows of figures, targets, notes; as a table for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure. `quick` is for trying out: short runs, one repetition. `size`: of what is measured, where a
    benchmark has sizes (kpi: contacts); None: its own."""

    quick: bool = False
    size: int | None = None

    def seconds(self, full: float) -> float:
        return min(full, 2.0) if self.quick else full

    def times(self, full: int) -> int:
        return 1 if self.quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """`wanted` is a bound: at least, or (`is_ceiling`) at most. `measured` None: could not be measured."""

    name: str
    wanted: float
    measured: float | None
    unit: str
    is_ceiling: bool = False

    @property
    def is_met(self) -> bool:
        if self.measured is None:
            return False
        return self.measured <= self.wanted if self.is_ceiling else self.measured >= self.wanted

    def __str__(self) -> str:
        bound = "at most" if self.is_ceiling else "at least"
        measured = "not measured" if self.measured is None else f"{self.measured:.3g}"
        verdict = "met" if self.is_met else "NOT MET"
        return f"{verdict}: {self.name} {measured} {self.unit} (wanted {bound} {self.wanted:g} {self.unit})"


@dataclass(slots=True)
class Result:
    """Rows have the same keys, in the order of the table's columns; units stand in the keys."""

    name: str
    method: str
    rows: list[Mapping[str, Cell]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the cases do not exceed (nearest rank): a latency that really was."""
    return ordered[max(0, min(len(ordered) - 1, int(-(-len(ordered) * share // 1)) - 1))]


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def print_machine(machine: Mapping[str, Cell]) -> None:
    print("machine: " + ", ".join(f"{name} {value}" for name, value in machine.items() if value is not None))


def print_result(result: Result) -> None:
    print(f"\n{result.name}: {result.method}\n")
    if result.rows:
        names = list(result.rows[0])
        cells = [names, *([_shown(row[name]) for name in names] for row in result.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
        for line in cells:
            print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
        print()
    for target in result.targets:
        print(f"  {target}")
    for note in result.notes:
        print(f"  note: {note}")


def to_json(machine: Mapping[str, Cell], results: Sequence[Result]) -> dict[str, Any]:
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(machine),
        "results": {
            result.name: {
                "method": result.method,
                "rows": [dict(row) for row in result.rows],
                "targets": [asdict(target) | {"is_met": target.is_met} for target in result.targets],
                "notes": result.notes,
            }
            for result in results
        },
    }


def _shown(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value
