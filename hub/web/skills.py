"""Skills: administrators name them, supervisors say who has them."""

from __future__ import annotations

from hub.agents import skills
from hub.agents.skills import SkillRow
from hub.domain.permissions import Permission
from hub.domain.views import SkillView
from hub.errors import InvalidInput
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import AgentSkills, NewSkill, Page, SetSkills, SkillMatrix, UpdateSkill


@endpoint("GET", "/skills", access=Access.AGENT, summary="All skills")
async def list_skills(context: Context) -> Page[SkillView]:
    """By name."""
    return Page(await context.hub.database.read(skills.load_skills))


@endpoint("POST", "/skills", access=Permission.MANAGE_ROUTING, status=201, summary="Create a skill")
async def create_skill(context: Context, body: NewSkill) -> SkillView:
    """409 `name_taken` if there is one of this name, in small or capital letters."""
    return await context.hub.database.transaction(skills.create_skill, body.name, actor=context.viewer)


def _load_matrix(tx: Tx) -> SkillMatrix:
    return SkillMatrix(skills=skills.load_skills(tx), agents=[_row(row) for row in skills.load_matrix(tx)])


def _row(row: SkillRow) -> AgentSkills:
    return AgentSkills(user_id=row.user_id, name=row.name, levels=row.levels, version=row.version)


# Before the paths with an id: routes are tried in their order.
@endpoint("GET", "/skills/matrix", access=Access.SUPERVISOR, summary="Who can do what")
async def get_skill_matrix(context: Context) -> SkillMatrix:
    return await context.hub.database.read(_load_matrix)


@endpoint("PATCH", "/skills/{skill_id}", access=Permission.MANAGE_ROUTING, summary="Rename a skill")
async def rename_skill(context: Context, skill_id: int, body: UpdateSkill) -> SkillView:
    """Everybody keeps their levels of it. 409 `version_conflict` if somebody changed it meanwhile."""
    return await context.hub.database.transaction(
        skills.rename_skill, skill_id, body.name, body.expected_version, actor=context.viewer
    )


@endpoint("DELETE", "/skills/{skill_id}", access=Permission.MANAGE_ROUTING, summary="Remove a skill")
async def delete_skill(context: Context, skill_id: int) -> None:
    """Nobody has it any more. 409 `in_use`, naming them, while queues require it."""
    await context.hub.database.transaction(skills.delete_skill, skill_id, actor=context.viewer)


@endpoint("PUT", "/users/{user_id}/skills", access=Permission.PLAN_PEOPLE, summary="Say what somebody can do")
async def set_user_skills(context: Context, user_id: int, body: SetSkills) -> AgentSkills:
    """Replaces all; work that waits already is looked at anew at once."""
    # An id is what the database can keep as one, written in one way: "1" and "01" would be two words for one skill.
    strange = {
        key: "is not a skill's id"
        for key in body.levels
        if not (key.isascii() and key.isdecimal()) or len(key) > 18 or key != str(int(key))
    }
    if strange:
        raise InvalidInput("no such skill", fields={f"levels.{key}": fault for key, fault in strange.items()})
    levels = {int(key): level for key, level in body.levels.items()}
    row = await context.hub.database.transaction(
        skills.set_agent_skills, user_id, levels, body.expected_version, actor=context.viewer
    )
    return _row(row)
