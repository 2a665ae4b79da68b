"""The rules that place new work: administrators write them, try them out on the past, and bring them into force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.domain.permissions import Permission
from hub.routing import placement, rule_trial
from hub.routing.placement import Directed, RuleVersions, StoredRules
from hub.routing.requirements import read_required
from hub.store.database import Tx
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    ActivateRules,
    NewRules,
    RuleCount,
    RuleExample,
    RuleIn,
    RulePlacement,
    RuleSetVersion,
    RuleSetView,
    RulesOverview,
    RuleTrial,
    TryRules,
)


@endpoint("GET", "/rules", access=Access.SUPERVISOR, summary="The rules that place new work")
async def get_rules(context: Context) -> RulesOverview:
    """Those in force, the latest that were saved, and all versions."""
    return _overview(context, await context.hub.database.read(placement.load_versions))


@endpoint("POST", "/rules", access=Permission.MANAGE_ROUTING, status=201, summary="Save rules")
async def create_rules(context: Context, body: NewRules) -> RuleSetView:
    """A new version, which is not in force yet. Faults are named by their place: `rules.2.then.queue_id` …"""
    return _view(
        context,
        await context.hub.database.transaction(
            placement.create_version,
            context.viewer.user_id,
            body.mode,
            _plain(body.rules),
            expected_version=body.expected_version,
            actor=context.viewer,
        ),
    )


# Before the paths with a version: routes are tried in their order.
@endpoint("POST", "/rules/try", access=Permission.MANAGE_ROUTING, summary="Try rules out on the past")
async def try_rules(context: Context, body: TryRules) -> RuleTrial:
    """What would have happened to past conversations under these rules, against what did. Changes nothing."""
    trial = await rule_trial.try_rules(
        context.hub.database, body.mode, _plain(body.rules), days=body.days, limit=body.limit
    )
    return RuleTrial(
        looked_at=trial.looked_at,
        changed=trial.changed,
        by_rule=[RuleCount(rule_id=rule_id, matched=count) for rule_id, count in trial.by_rule.items()],
        examples=[
            RuleExample(
                conversation_id=each.conversation_id,
                customer_name=each.customer_name,
                customer_is_erased=each.customer_is_erased,
                created_at=each.created_at,
                preview=each.preview,
                matched=list(each.matched),
                before=_placement(each.before),
                after=_placement(each.after),
                notes=list(each.notes),
            )
            for each in trial.examples
        ],
    )


@endpoint("POST", "/rules/deactivate", access=Permission.MANAGE_ROUTING, summary="Switch all rules off")
async def deactivate_rules(context: Context) -> RulesOverview:
    """New work goes as it always did. 409 `not_active` if none were in force."""

    def switch(tx: Tx) -> RuleVersions:
        placement.deactivate(tx, actor=context.viewer)
        return placement.load_versions(tx)

    return _overview(context, await context.hub.database.transaction(switch))


@endpoint("GET", "/rules/{version}", access=Access.SUPERVISOR, summary="One version of the rules")
async def get_rules_version(context: Context, version: int) -> RuleSetView:
    return _view(context, await context.hub.database.read(placement.load_version, version))


@endpoint("POST", "/rules/{version}/activate", access=Permission.MANAGE_ROUTING, summary="Bring rules into force")
async def activate_rules(context: Context, version: int, body: ActivateRules | None = None) -> RuleSetView:
    """For whatever begins from now on; what has begun stays where it is. 409 `already_active`; 409 `version_conflict` if
    another version is in force than `expected_active_version` says."""
    checks = body is not None and "expected_active_version" in body.model_fields_set
    return _view(
        context,
        await context.hub.database.transaction(
            placement.activate,
            version,
            expected_active=body.expected_active_version if body is not None else None,
            checks_active=checks,
            actor=context.viewer,
        ),
    )


def _plain(rules: Sequence[RuleIn]) -> list[dict[str, Any]]:
    return [rule.model_dump(mode="json") for rule in rules]


def _view(context: Context, stored: StoredRules) -> RuleSetView:
    return RuleSetView(
        version=stored.version,
        mode=stored.rules.mode,
        rules=list(stored.rules.rules),
        created_by=stored.created_by,
        created_at=stored.created_at,
        activated_at=stored.activated_at,
        active=stored.active,
        faults=context.worded(stored.faults),
    )


def _overview(context: Context, versions: RuleVersions) -> RulesOverview:
    return RulesOverview(
        active=_view(context, versions.active) if versions.active is not None else None,
        latest=_view(context, versions.latest) if versions.latest is not None else None,
        versions=[
            RuleSetVersion(
                version=row.version,
                created_by=row.created_by,
                created_at=row.created_at,
                activated_at=row.activated_at,
                active=row.active,
            )
            for row in versions.versions
        ],
    )


def _placement(directed: Directed) -> RulePlacement:
    return RulePlacement(
        queue_id=directed.queue_id,
        priority=directed.priority,
        required=list(read_required(directed.required)),
        tags=list(directed.tags),
        topic_id=directed.topic_id,
        owner_id=directed.owner_id,
        has_auto_reply=directed.has_auto_reply,
    )
