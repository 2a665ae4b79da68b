"""What one conversation requires beyond its queue, and what is left of it all once it was widened. Pure.

It stands in `conversation.required` as lines `skill's id<level`, in the order of the ids, so that equal requirements are
equal texts: what is the same to everybody can be told by comparing columns. `conversation.lowered` says by how many levels
all that is required, the queue's own requirement among it, has been lowered since (an escalation step). A skill that was
removed is required no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from hub.domain.views import RequirementView
from hub.routing.engine import Skill
from hub.routing.escalation import widened


def write_required(required: Iterable[RequirementView]) -> str:
    """As it stands in the column; of a skill that is named twice the higher level counts."""
    levels: dict[int, int] = {}
    for each in required:
        levels[each.skill_id] = max(each.level, levels.get(each.skill_id, 0))
    return "\n".join(f"{skill_id}<{level}" for skill_id, level in sorted(levels.items()))


# A floor has a few hundred different ones at most, and every round reads them all.
@lru_cache(maxsize=4_096)
def read_required(text: str) -> tuple[RequirementView, ...]:
    """What `write_required` wrote."""
    parts = (line.partition("<") for line in text.split("\n") if line)
    return tuple(RequirementView(int(skill_id), int(level)) for skill_id, _, level in parts)


def required_of(queues_own: tuple[Skill, ...], text: str, lowered: int, names: Mapping[int, str]) -> tuple[Skill, ...]:
    """All that a piece of work requires: its queue's and its own, of both the higher level, less what it was lowered by.
    `names`: skill's id → its name now."""
    if not text and not lowered:
        return queues_own
    levels = {skill.name: skill.level for skill in queues_own}
    for each in read_required(text):
        name = names.get(each.skill_id)
        if name is not None:
            levels[name] = max(each.level, levels.get(name, 0))
    return widened([Skill(name, level) for name, level in levels.items()], lowered)
