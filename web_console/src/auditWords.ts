/* The audit log in the reader's words: a sentence for each act, and what changed. */
import { useI18n } from "vue-i18n";

import { type Change, keyOf, listChange } from "./audit";
import { numerals } from "./calendars";
import type { AuditAct } from "./events";
import { exactly } from "./format";
import { LANGUAGES } from "./i18n";
import { useWords } from "./words";

/** Fields that hold ids of people, and those that hold ids of queues. */
const OF_PEOPLE = /^(?:member_ids|told|recipient_ids|owner_id|user_id|agent_id)$/;
const OF_QUEUES = /^(?:queue_id|queue_ids)$/;

export function useAuditWords() {
  const { t, te, locale } = useI18n();
  const { agentName, queueName } = useWords();

  /** Who did it; the hub itself where nobody was signed in. */
  function who(act: Pick<AuditAct, "actor_id" | "actor_name" | "api_key_name" | "action">): string {
    if (act.actor_id === null) return t(act.action.startsWith("session.") ? "audit.somebody" : "common.system");
    return act.api_key_name === null ? act.actor_name : t("audit.by_key", { name: act.actor_name, key: act.api_key_name });
  }

  /** "Nare changed the queue Complaints". An act that this console has no sentence for is told by its own word. */
  function sentence(act: AuditAct): string {
    const told = (key: string) => (typeof act.data[key] === "string" || typeof act.data[key] === "number" ? String(act.data[key]) : "");
    const named = {
      who: who(act), name: told("name") || act.subject_id, before: told("before") || t("conversation.nobody"), after: told("after") || t("conversation.nobody"),
      day: told("day"), other: told("other_id"), source: told("source"), days: told("days"), role: te(`role.${told("role")}`) ? t(`role.${told("role")}`) : told("role"),
    };
    const key = `audit.did_${keyOf(act.action)}`;
    if (act.action === "session.refused" && named.name === "") return t("audit.refused_unknown", named);
    if (act.action === "call.supervised") return t(`audit.call_${told("presence")}`, named);
    if (act.action === "user.changed" && isSwitch(act)) return t(isSwitch(act) === "on" ? "audit.user_activated" : "audit.user_deactivated", named);
    return te(key) ? t(key, named) : t("audit.did_other", { ...named, action: act.action });
  }

  function isSwitch(act: AuditAct): "on" | "off" | null {
    const pair = (act.data["changes"] as Record<string, unknown> | undefined)?.["active"];
    if (!Array.isArray(pair)) return null;
    return pair[1] === true ? "on" : "off";
  }

  function fieldName(field: string): string {
    const key = `audit.field_${field.replaceAll(".", "_")}`;
    if (te(key)) return t(key);
    // Of a channel's settings the provider's own word is told.
    const [group, ...rest] = field.split(".");
    const word = (rest.length > 0 ? rest.join(".") : field).replaceAll("_", " ");
    return group === "secrets" ? t("audit.secret", { name: word }) : word;
  }

  function value(field: string, told: unknown): string {
    if (told === null || told === undefined || told === "") return t("audit.none");
    if (typeof told === "boolean") return t(told ? "audit.yes" : "audit.no");
    if (Array.isArray(told)) return told.length === 0 ? t("audit.none") : told.map((each) => value(field, each)).join(", ");
    if (typeof told === "object") return Object.entries(told).map(([key, each]) => `${key}: ${value(key, each)}`).join("; ") || t("audit.none");
    if (typeof told === "number") {
      if (OF_PEOPLE.test(field)) return agentName(told);
      if (OF_QUEUES.test(field)) return queueName(told);
      if (field.endsWith("_s")) return exactly(told, locale.value);
      return new Intl.NumberFormat(numerals(locale.value)).format(told);
    }
    const word = String(told);
    if (field === "permissions") return te(`permission.${word.replace(".", "_")}`) ? t(`permission.${word.replace(".", "_")}`) : word;
    if (field === "role") return te(`role.${word}`) ? t(`role.${word}`) : word;
    if (field === "state") return te(`state.${word}`) ? t(`state.${word}`) : word;
    if (field === "language") return LANGUAGES[word as keyof typeof LANGUAGES] ?? word;
    if (["channels", "auto_accept", "kind"].includes(field)) return te(`channel.${word}`) ? t(`channel.${word}`) : word;
    return word;
  }

  /** "ring 20 s → 30 s"; of lists what came and what went. */
  function changed(change: Change): string {
    const field = fieldName(change.field);
    if (!change.isTold) return t("audit.changed", { field });
    const lists = listChange(change.before, change.after);
    if (lists && lists.came.length + lists.went.length > 0) {
      const moved = [...lists.came.map((each) => `+ ${value(change.field, each)}`), ...lists.went.map((each) => `− ${value(change.field, each)}`)];
      return t("audit.moved", { field, what: moved.join(", ") });
    }
    return t("audit.change", { field, before: value(change.field, change.before), after: value(change.field, change.after) });
  }

  return { who, sentence, changed, fieldName, value };
}
