"""Teams, what their figures should be, and how the organisation counts service level."""

from __future__ import annotations

from hub.agents import teams
from hub.agents.teams import Team
from hub.domain.permissions import Permission
from hub.domain.views import FigureDefaultsView, TargetView, TeamView
from hub.kpi import defaults, targets
from hub.kpi.targets import Target
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import Belonging, NewTeam, Page, SaveFigureDefaults, SaveTarget, SaveTeam


@endpoint("GET", "/teams", access=Access.AGENT, summary="All teams")
async def list_teams(context: Context) -> Page[TeamView]:
    """By id."""
    return Page(await context.hub.database.read(teams.load_teams))


@endpoint("POST", "/teams", access=Permission.MANAGE_TEAMS, status=201, summary="Create a team")
async def create_team(context: Context, body: NewTeam) -> TeamView:
    """Figures belong to it from now on. 409 `name_taken` if there is one of this name, in small or capital letters."""
    return await context.hub.database.transaction(teams.create_team, _team(body), actor=context.viewer)


@endpoint("PUT", "/teams/{team_id}", access=Permission.MANAGE_TEAMS, summary="Change a team")
async def replace_team(context: Context, team_id: int, body: SaveTeam) -> TeamView:
    """Who joins or leaves does so from now on; figures of the past stay. With another time zone all figures are made anew,
    and reports are not complete until they are. 409 `version_conflict` if somebody changed it meanwhile."""
    return await context.hub.database.transaction(
        teams.replace_team, team_id, _team(body), body.expected_version, actor=context.viewer
    )


@endpoint("DELETE", "/teams/{team_id}", access=Permission.MANAGE_TEAMS, summary="Remove a team")
async def remove_team(context: Context, team_id: int) -> None:
    """Its targets go with it; figures of the past are still told by it. 409 `in_use`, naming them, while limits are watched
    for it."""
    await context.hub.database.transaction(teams.remove_team, team_id, actor=context.viewer)


@endpoint("GET", "/teams/{team_id}/members", access=Access.SUPERVISOR, summary="Who was in a team when")
async def list_members(context: Context, team_id: int) -> Page[Belonging]:
    """The newest first."""
    rows = await context.hub.database.read(teams.load_history, team_id)
    return Page([Belonging(user_id=row.user_id, since=row.since, until=row.until) for row in rows])


def _team(body: NewTeam) -> Team:
    return Team(body.name, body.time_zone, body.leaderboard, body.member_ids)


@endpoint("GET", "/targets", access=Access.AGENT, summary="What figures should be")
async def list_targets(context: Context) -> Page[TargetView]:
    """Of an agent those that hold for them, of supervisors all. The narrowest holds: of the agent, the team (of several that
    with the lowest id), the queue, all."""
    return Page(await context.hub.database.read(targets.load_targets, context.viewer))


@endpoint("POST", "/targets", access=Permission.MANAGE_TARGETS, status=201, summary="Set a target")
async def create_target(context: Context, body: SaveTarget) -> TargetView:
    """409 `target_taken` if there is one for the same figure."""
    return await context.hub.database.transaction(targets.create_target, _target(body), actor=context.viewer)


@endpoint("PUT", "/targets/{target_id}", access=Permission.MANAGE_TARGETS, summary="Change a target")
async def replace_target(context: Context, target_id: int, body: SaveTarget) -> TargetView:
    return await context.hub.database.transaction(
        targets.replace_target, target_id, _target(body), actor=context.viewer
    )


@endpoint("DELETE", "/targets/{target_id}", access=Permission.MANAGE_TARGETS, summary="Remove a target")
async def remove_target(context: Context, target_id: int) -> None:
    await context.hub.database.transaction(targets.remove_target, target_id, actor=context.viewer)


def _target(body: SaveTarget) -> Target:
    return Target(body.measure, body.scope, body.scope_id, body.target, body.warning)


@endpoint("GET", "/organisation/figures", access=Access.AGENT, summary="How service level is counted")
async def get_figure_defaults(context: Context) -> FigureDefaultsView:
    return await context.hub.database.read(defaults.load_defaults)


@endpoint("PUT", "/organisation/figures", access=Permission.MANAGE_SETTINGS, summary="Set how service level is counted")
async def set_figure_defaults(context: Context, body: SaveFigureDefaults) -> FigureDefaultsView:
    """409 `version_conflict` if somebody changed it meanwhile."""
    return await context.hub.database.transaction(
        defaults.set_defaults,
        service_level=body.service_level,
        threshold_s=body.threshold_s,
        short_s=body.short_s,
        expected_version=body.expected_version,
        actor=context.viewer,
    )
