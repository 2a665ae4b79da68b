"""What a console holds, written a second time from the contract alone (API paper: views with a `version` never go back),
so that the TypeScript reducer is not its own judge. Plain JSON in, plain JSON out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def canonical(snapshot: Json, frames: Iterable[Json]) -> Json:
    """The part of the state that a later snapshot tells, too, after the frames."""
    user = snapshot["user"]
    held: dict[str, dict[Any, Json]] = {
        "agents": {view["user_id"]: view for view in snapshot["agents"]},
        "estimates": {view["queue_id"]: view for view in snapshot["estimates"]},
        "queue_lengths": {view["queue_id"]: view for view in snapshot["queue_lengths"]},
        **{
            noun: {view["id"]: view for view in snapshot[noun]}
            for noun in (
                "queues",
                "channels",
                "conversations",
                "offers",
                "topics",
                "alerts",
                "calls",
                "teams",
                "targets",
                "custom_fields",
                "tasks",
            )
        },
        "kpi_alerts": {view["id"]: view for view in snapshot["kpi_alerts"]},
        "drafts": {mark["conversation_id"]: mark for mark in snapshot["drafts"]},
    }
    numbers: Json = snapshot["numbers"]
    defaults: Json = snapshot["figure_defaults"]
    remaking: Json | None = snapshot["remaking"]
    notice_rules: Json = snapshot["notice_rules"]
    queue_numbers: dict[int, Json] = {each["queue_id"]: each for each in snapshot["queue_numbers"]}
    agent_numbers: dict[int, Json] = {each["user_id"]: each for each in snapshot["agent_numbers"]}

    def put(noun: str, key: Any, view: Json) -> None:
        if key not in held[noun] or view["version"] > held[noun][key]["version"]:
            held[noun][key] = view

    token = snapshot["token"]
    for frame in frames:
        assert frame["prev"] == token, "a frame does not follow the one before"
        for event in frame["events"]:
            match event["kind"]:
                case "entry.added" | "conversation.changed":
                    put("conversations", event["conversation"]["id"], event["conversation"])
                case "conversation.hidden":
                    held["conversations"].pop(event["conversation_id"], None)
                    for call in list(held["calls"].values()):
                        mine = any(leg["user_id"] == user["id"] and not leg["ended_at"] for leg in call["legs"])
                        if call["conversation_id"] == event["conversation_id"] and not mine:
                            del held["calls"][call["id"]]
                case "call.changed" if event["call"]["ended_at"] is None:
                    put("calls", event["call"]["id"], event["call"])
                case "call.changed":
                    held["calls"].pop(event["call"]["id"], None)
                case "queue_numbers.changed":
                    told = event["numbers"]
                    if queue_numbers.get(told["queue_id"], told)["as_of_seq"] <= told["as_of_seq"]:
                        queue_numbers[told["queue_id"]] = told
                case "offer.made":
                    held["offers"][event["offer"]["id"]] = event["offer"]
                case "offer.ended":
                    held["offers"].pop(event["offer"]["id"], None)
                case "agent.changed":
                    put("agents", event["agent"]["user_id"], event["agent"])
                case "queue.changed":
                    put("queues", event["queue"]["id"], event["queue"])
                case "channel.changed":
                    put("channels", event["channel"]["id"], event["channel"])
                case "estimate.changed":
                    put("estimates", event["estimate"]["queue_id"], event["estimate"])
                case "queue_length.changed":
                    put("queue_lengths", event["length"]["queue_id"], event["length"])
                case "topic.changed":
                    put("topics", event["topic"]["id"], event["topic"])
                case "alert.changed" if event["alert"]["seen_at"] is None:
                    put("alerts", event["alert"]["id"], event["alert"])
                case "alert.changed":
                    held["alerts"].pop(event["alert"]["id"], None)
                case "team.changed":
                    put("teams", event["team"]["id"], event["team"])
                case "team.removed":
                    held["teams"].pop(event["team_id"], None)
                case "target.changed":
                    held["targets"][event["target"]["id"]] = event["target"]
                case "target.removed":
                    held["targets"].pop(event["target_id"], None)
                case "figure_defaults.changed":
                    defaults = max(defaults, event["defaults"], key=lambda each: each["version"])
                case "figures.remaking":
                    remaking = event["remaking"]
                case "custom_field.changed":
                    put("custom_fields", event["field"]["id"], event["field"])
                case "custom_field.removed":
                    held["custom_fields"].pop(event["field_id"], None)
                case "kpi_alert.changed" if event["alert"]["healed_at"] is None:
                    put("kpi_alerts", event["alert"]["id"], event["alert"])
                case "kpi_alert.changed":
                    held["kpi_alerts"].pop(event["alert"]["id"], None)
                case "alerts.seen":
                    for alert_id in event["alert_ids"]:
                        held["alerts"].pop(alert_id, None)
                case "task.changed":
                    put("tasks", event["task"]["id"], event["task"])
                case "notice_rules.changed":
                    notice_rules = max(notice_rules, event["rules"], key=lambda each: each["version"])
                case "draft.begun":
                    held["drafts"][event["draft"]["conversation_id"]] = event["draft"]
                case "draft.ended":
                    held["drafts"].pop(event["conversation_id"], None)
                case "numbers.changed":
                    told = event["numbers"]
                    if told["user_id"] == user["id"] and numbers["as_of_seq"] <= told["as_of_seq"]:
                        numbers = told
                    is_newer = agent_numbers.get(told["user_id"], told)["as_of_seq"] <= told["as_of_seq"]
                    if user["role"] != "agent" and is_newer:
                        agent_numbers[told["user_id"]] = told
        token = frame["token"]

    def is_shown(view: Json) -> bool:
        mine = view["assignee_id"] == user["id"] or view["queue_id"] in user["queue_ids"]
        mine = mine or user["id"] in view["participant_ids"]
        return bool(view["status"] == "open" and (user["role"] != "agent" or mine))

    def is_own(task: Json) -> bool:
        owners = {task["assignee_id"]} if task["assignee_id"] else set()
        return task["outcome"] is None and (
            user["id"] in owners or (not owners and task["queue_id"] in user["queue_ids"])
        )

    state = {noun: [views[key] for key in sorted(views)] for noun, views in held.items()}
    state["conversations"] = [view for view in state["conversations"] if is_shown(view)]
    state["agents"] = [view for view in state["agents"] if view["active"]]
    state["tasks"] = [view for view in state["tasks"] if is_own(view)]
    return {
        **state,
        "figure_defaults": defaults,
        "remaking": remaking,
        "notice_rules": notice_rules,
        "numbers": _figures(numbers),
        "queue_numbers": [_figures(queue_numbers[key]) for key in sorted(queue_numbers) if _counts(queue_numbers[key])],
        "agent_numbers": [_figures(agent_numbers[key]) for key in sorted(agent_numbers) if _counts(agent_numbers[key])],
    }


def _figures(numbers: Json) -> Json:
    """Up to which event they were counted is no figure."""
    return {name: value for name, value in numbers.items() if name != "as_of_seq"}


def _counts(numbers: Json) -> bool:
    """Somebody for whom nothing is counted yet may be told of, or not: a snapshot leaves out who has zeros throughout."""
    return any(value for name, value in numbers.items() if name not in _NO_COUNTS)


_NO_COUNTS = {"as_of_seq", "user_id", "queue_id", "day", "service_level_id", "threshold_s", "spell", "spell_since"}
