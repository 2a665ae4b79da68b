"""A scenario for `hub simulate`: who calls, who answers, by which rules, and what is compared. Read from TOML or JSON.

    name = "A small call centre"
    hours = 8                           # of one replication; arrivals end then, and whoever waits is still served
    replications = 20

    [[queues]]
    name = "support"

    [[arrivals]]
    queue = "support"
    per_hour = 100                      # or profile = [[0, 60], [3, 120]]: from that hour on, so many an hour
    handle = { mean_s = 240 }           # shape = exponential | lognormal (with cv) | fixed
    patience = { mean_s = 120 }         # left out: nobody hangs up

    [[staff]]
    name = "generalists"
    count = 8
    queues = ["support"]

    [policies.one_more]                 # what is different under this policy
    staff = { generalists = 9 }

Every fault is named by its field (`arrivals.0.queue`).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.domain.values import ChannelKind
from hub.errors import InvalidInput
from hub.routing.engine import WEIGHTS, Choice

# One run of the command should end while one waits for it: a million contacts take some minutes.
_MAX_CONTACTS = 5_000_000
_EXAMPLES = Path(__file__).resolve().parent / "scenarios"

Name = Field(min_length=1, max_length=60)
Level = dict[str, int]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Duration(_Part):
    """`cv`: standard deviation ÷ mean, of a lognormal one."""

    mean_s: float = Field(gt=0, le=86_400)
    shape: Literal["exponential", "lognormal", "fixed"] = "exponential"
    cv: float = Field(default=1.0, gt=0, le=10)


class WishPart(_Part):
    skill: str = Name
    level: int = Field(default=1, ge=1, le=5)
    until_s: float = Field(ge=0, le=86_400)


class OverflowPart(_Part):
    """From `after_s` on, while the estimated wait is above `ewt_over_s`, or both."""

    to: list[str] = Field(min_length=1, max_length=20)
    after_s: float | None = Field(default=None, ge=0, le=86_400)
    ewt_over_s: float | None = Field(default=None, gt=0, le=86_400)


class QueuePart(_Part):
    name: str = Name
    choice: Choice = Choice.LONGEST_IDLE
    max_wait_s: float = Field(default=3_600, gt=0, le=1e6)
    makes_room: bool = False
    overflow: list[OverflowPart] = Field(default=[], max_length=20)


class ArrivalsPart(_Part):
    queue: str = Name
    per_hour: float | None = Field(default=None, gt=0, le=100_000)
    profile: list[tuple[float, float]] = Field(default=[], max_length=1_000)
    kind: ChannelKind = ChannelKind.PHONE
    weight: int | None = Field(default=None, ge=1, le=1_000)
    handle: Duration
    patience: Duration | None = None
    skills: Level = {}
    wishes: list[WishPart] = Field(default=[], max_length=10)
    priority: int = Field(default=0, ge=-1_000, le=1_000)

    @property
    def units(self) -> int:
        return self.weight if self.weight is not None else WEIGHTS[self.kind]


class StaffPart(_Part):
    name: str = Name
    count: int = Field(ge=1, le=2_000)
    queues: list[str] = Field(min_length=1, max_length=50)
    skills: Level = {}
    capacity: int = Field(default=100, ge=1, le=10_000)
    ranks: dict[str, int] = {}


class PolicyPart(_Part):
    """What is different from the scenario as it stands; what is left out is as it stands."""

    choice: Choice | None = None
    max_wait_s: float | None = Field(default=None, gt=0, le=1e6)
    makes_room: bool | None = None
    overflow: bool | None = None
    wishes: bool | None = None
    ranks: bool | None = None
    priorities: bool | None = None
    staff: dict[str, int] = {}


class Scenario(_Part):
    name: str = Name
    seed: int = 1
    hours: float = Field(default=8, gt=0, le=2_000)
    # What arrives before is served and not counted: a queue that begins empty is not what one asks about.
    warm_up_minutes: float = Field(default=0, ge=0)
    replications: int = Field(default=20, ge=1, le=1_000)
    service_level_s: float = Field(default=20, ge=0, le=86_400)
    queues: list[QueuePart] = Field(min_length=1, max_length=100)
    arrivals: list[ArrivalsPart] = Field(min_length=1, max_length=200)
    staff: list[StaffPart] = Field(min_length=1, max_length=200)
    policies: dict[str, PolicyPart] = {}


def read_file(path: Path) -> dict[str, Any]:
    """What a .toml or .json file says; InvalidInput if it says nothing."""
    try:
        text = path.read_text()
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} could not be read: {error}") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is neither TOML nor JSON: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} is not a scenario")
    return values


def example_names() -> list[str]:
    return sorted(path.stem for path in _EXAMPLES.glob("*.toml"))


def example_text(name: str) -> str:
    """The file of a built-in example; InvalidInput if there is none of that name."""
    if name not in example_names():
        raise InvalidInput(f"there is no example {name!r}: choose one of {', '.join(example_names())}")
    return (_EXAMPLES / f"{name}.toml").read_text()


def check_scenario(scenario: Scenario) -> Scenario:
    """The scenario, if its parts fit together; InvalidInput names every part that does not."""
    faults: dict[str, str] = {}
    queues = [queue.name for queue in scenario.queues]
    groups = [group.name for group in scenario.staff]
    for name, given in (("queues", queues), ("staff", groups)):
        for number, each in enumerate(given):
            if each in given[:number]:
                faults[f"{name}.{number}.name"] = "stands here twice"
    missing = "there is no such queue"
    for number, queue in enumerate(scenario.queues):
        for step_number, step in enumerate(queue.overflow):
            if step.after_s is None and step.ewt_over_s is None:
                faults[f"queues.{number}.overflow.{step_number}.after_s"] = "give after_s, ewt_over_s or both"
            for each in step.to:
                if each not in queues or each == queue.name:
                    faults[f"queues.{number}.overflow.{step_number}.to"] = f"{missing} to go to: {each}"
    for number, arrivals in enumerate(scenario.arrivals):
        _check_arrivals(arrivals, f"arrivals.{number}", queues, faults)
    for number, group in enumerate(scenario.staff):
        for each in (*group.queues, *group.ranks):
            if each not in queues:
                faults[f"staff.{number}.queues"] = f"{missing}: {each}"
        _check_levels(group.skills, f"staff.{number}.skills", faults)
    for name, policy in scenario.policies.items():
        for group_name, count in policy.staff.items():
            if group_name not in groups:
                faults[f"policies.{name}.staff.{group_name}"] = "there is no such staff"
            elif not 0 <= count <= 2_000:
                faults[f"policies.{name}.staff.{group_name}"] = "is not a number from 0 to 2000"
    if scenario.warm_up_minutes * 60 >= scenario.hours * 3_600:
        faults["warm_up_minutes"] = "is not shorter than hours"
    contacts = sum(_rate(each) for each in scenario.arrivals) * scenario.hours * scenario.replications
    if contacts > _MAX_CONTACTS:
        faults["replications"] = f"makes some {contacts:,.0f} contacts; {_MAX_CONTACTS:,} are the most"
    if faults:
        raise InvalidInput("; ".join(f"{name}: {words}" for name, words in faults.items()), fields=faults)
    return scenario


def under(scenario: Scenario, policy: PolicyPart) -> Scenario:
    """The scenario as it is under a policy."""
    queues = [
        queue.model_copy(
            update={
                **({"choice": policy.choice} if policy.choice is not None else {}),
                **({"max_wait_s": policy.max_wait_s} if policy.max_wait_s is not None else {}),
                **({"makes_room": policy.makes_room} if policy.makes_room is not None else {}),
                **({"overflow": []} if policy.overflow is False else {}),
            }
        )
        for queue in scenario.queues
    ]
    arrivals = [
        each.model_copy(
            update={
                **({"wishes": []} if policy.wishes is False else {}),
                **({"priority": 0} if policy.priorities is False else {}),
            }
        )
        for each in scenario.arrivals
    ]
    staff = [
        group.model_copy(
            update={
                "count": policy.staff.get(group.name, group.count),
                **({"ranks": {}} if policy.ranks is False else {}),
            }
        )
        for group in scenario.staff
    ]
    return scenario.model_copy(update={"queues": queues, "arrivals": arrivals, "staff": staff})


def _check_arrivals(arrivals: ArrivalsPart, name: str, queues: list[str], faults: dict[str, str]) -> None:
    if arrivals.queue not in queues:
        faults[f"{name}.queue"] = "there is no such queue"
    if (arrivals.per_hour is None) == (not arrivals.profile):
        faults[f"{name}.per_hour"] = "give exactly one of per_hour and profile"
    hours = [hour for hour, _ in arrivals.profile]
    if hours and (hours[0] != 0 or hours != sorted(set(hours))):
        faults[f"{name}.profile"] = "begins at hour 0 and goes on in order"
    elif arrivals.profile and not all(0 <= rate <= 100_000 for _, rate in arrivals.profile):
        faults[f"{name}.profile"] = "has a rate that is not a number from 0 to 100000"
    elif arrivals.profile and not any(rate > 0 for _, rate in arrivals.profile):
        faults[f"{name}.profile"] = "nobody ever comes"
    _check_levels(arrivals.skills, f"{name}.skills", faults)


def _check_levels(skills: Level, name: str, faults: dict[str, str]) -> None:
    for skill, level in skills.items():
        if not 1 <= level <= 5:
            faults[f"{name}.{skill}"] = "is not a level from 1 to 5"


def _rate(arrivals: ArrivalsPart) -> float:
    return arrivals.per_hour or max((rate for _, rate in arrivals.profile), default=0.0)
