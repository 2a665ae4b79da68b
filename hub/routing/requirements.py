"""What one conversation requires beyond its queue, and what is left of it all once it was widened. Pure.

It stands in `conversation.required` as lines `name<level`, in the order of their names, so that equal requirements are equal
texts: what is the same to everybody can be told by comparing columns. `conversation.lowered` says by how many levels all
that is required, the queue's own requirement among it, has been lowered since (an escalation step).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from hub.routing.engine import Skill
from hub.routing.escalation import widened


def write_required(skills: Iterable[Skill]) -> str:
    """As it stands in the column; of a skill that is named twice the higher level counts."""
    levels: dict[str, int] = {}
    for skill in skills:
        levels[skill.name] = max(skill.level, levels.get(skill.name, 0))
    return "\n".join(f"{name}<{level}" for name, level in sorted(levels.items()))


# A floor has a few hundred different ones at most, and every round reads them all.
@lru_cache(maxsize=4_096)
def read_required(text: str) -> tuple[Skill, ...]:
    """What `write_required` wrote."""
    parts = (line.rpartition("<") for line in text.split("\n") if line)
    return tuple(Skill(name, int(level)) for name, _, level in parts)


def required_of(queues_own: tuple[Skill, ...], text: str, lowered: int) -> tuple[Skill, ...]:
    """All that a piece of work requires: its queue's and its own, of both the higher level, less what it was lowered by."""
    if not text and not lowered:
        return queues_own
    levels = {skill.name: skill.level for skill in queues_own}
    for skill in read_required(text):
        levels[skill.name] = max(skill.level, levels.get(skill.name, 0))
    return widened([Skill(name, level) for name, level in levels.items()], lowered)


def renamed(text: str, before: str, after: str | None) -> str:
    """The same with a skill by its new name; without it if it has none any more."""
    others = [skill for skill in read_required(text) if skill.name != before]
    if after is not None:
        others += [Skill(after, skill.level) for skill in read_required(text) if skill.name == before]
    return write_required(others)
