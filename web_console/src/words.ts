/* Words that several screens need in the reader's language: names of colleagues and queues, and why something failed. */
import { useI18n } from "vue-i18n";

import { answerOf } from "./channelWords";
import { ApiError, Unreachable } from "./client";
import { keyOfCode } from "./codes";
import { readEscalated } from "./escalated";
import type { AgentView, ConversationView, CustomerView, EntryView } from "./events";
import { clockTime, dayName, duration } from "./format";
import { useHub } from "./hub";
import { isNumber, isWithheld } from "./phone";
import { readableNumber } from "./phoneNumbers";
import { isAbsent } from "./presence";
import { languageOf } from "./skills";
import { SCALES, type SurveyKind } from "./surveys";
import { useToasts } from "./toasts";

/** Whoever a view names. That somebody was erased it says beside the name: what the card is called then is English, and may be anybody's name. */
type Named = { customer_name: string | null; customer_is_erased: boolean } | Pick<CustomerView, "name" | "is_erased">;

export function useWords() {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const toasts = useToasts();

  function agentName(id: number | null | undefined): string {
    if (id === null || id === undefined) return t("conversation.nobody");
    return hub.state?.agents[id]?.name ?? t("common.someone");
  }

  function queueName(id: number): string {
    return hub.state?.queues[id]?.name ?? t("common.queue_number", { id });
  }

  /** Of a customer, as it is said here of one who was erased. All that prints a customer's name asks this (customerNames.test.ts). */
  function customerName(of: Named | null | undefined): string {
    if (!of) return "";
    const [name, isErased] = "is_erased" in of ? [of.name, of.is_erased] : [of.customer_name, of.customer_is_erased];
    return isErased ? t("privacy.erased_name") : (name ?? "");
  }

  /** A language is a skill by the name "language:hy". */
  function skillName(name: string): string {
    const code = languageOf(name);
    return code !== null && te(`language.${code}`) ? t(`language.${code}`) : name;
  }

  /** Where the customer is reached: nowhere, once they were erased. A visitor's address is a number of ours that says nothing to anybody; nor does a withheld one. */
  function reach(conversation: Pick<ConversationView, "channel_kind" | "address" | "customer_is_erased">): string {
    if (conversation.customer_is_erased) return "";
    if (conversation.channel_kind === "chat") return t("customer.chat_visitor");
    if (conversation.channel_kind !== "phone" || isNumber(conversation.address)) return readableNumber(conversation.address);
    return isWithheld(conversation.address) ? t("call.withheld") : t("call.from_page");
  }

  /** The newest words. Where there are none it is an attachment, or a conversation of ours in which nothing was said yet. */
  function preview(
    conversation: Pick<ConversationView, "preview" | "created_at" | "last_entry_at" | "unanswered_since"> & Partial<Pick<ConversationView, "channel_kind" | "subject">>,
  ): string {
    if (conversation.preview) return conversation.preview;
    // A mail may have no words at all, and its subject stands beside them.
    if (conversation.channel_kind === "email") return conversation.subject ? "" : t("mail.no_subject");
    if (conversation.channel_kind === "phone") return t("call.nothing_said");
    const isNew = conversation.created_at === conversation.last_entry_at && conversation.unanswered_since === null;
    return isNew ? t("timeline.empty") : t("conversation.no_text");
  }

  function agentState(agent: Pick<AgentView, "state" | "reason">): string {
    if (agent.state !== "away" || !agent.reason) return t(`state.${agent.state}`);
    return te(`away.${agent.reason}`) ? t(`away.${agent.reason}`) : agent.reason;
  }

  /** Why somebody does not look at their work now, and since when, where that is told; null: they do. */
  function absence(agent: AgentView | undefined): { state: string; since: string | null } | null {
    if (!isAbsent(agent)) return null;
    if (agent === undefined) return { state: t("state.offline"), since: null };
    // Whoever has no screen has been in their state for longer than that.
    const isLost = agent.state === "available" || agent.state === "busy";
    return isLost ? { state: t("team.not_connected"), since: null } : { state: agentState(agent), since: agent.state_since };
  }

  /** Why a request failed: our sentence for its code, else the hub's own message. */
  function failure(error: unknown): string {
    if (!(error instanceof ApiError) && !(error instanceof Unreachable)) return t("error.unexpected");
    if (error instanceof ApiError && error.fields["assignee"]) return t("error.already_assigned", { name: error.fields["assignee"] });
    if (error instanceof ApiError && error.fields["owner"]) return t("error.contact_taken", { name: error.fields["owner"] });
    const key = keyOfCode(error.code, te);
    // Only a newer hub has a word that this page has no sentence for.
    if (key === null) return error.message || t("error.unexpected");
    const theirs = error instanceof ApiError && error.status === 503 ? answerOf(error.message) : "";
    return theirs ? `${t(key)} “${theirs}”` : t(key);
  }

  /** Runs what a button asks for, and says so when it fails. */
  async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      toasts.show(failure(error), "bad");
      return undefined;
    }
  }

  /** Why a message did not reach its customer. */
  function reason(code: string | null): string {
    return code !== null && te(`reason.${code}`) ? t(`reason.${code}`) : t("reason.unknown");
  }

  /** A mail's subject, or that it has none. */
  function subject(text: string | null): string {
    return text?.trim() || t("mail.no_subject");
  }

  /** "Waited 5 min in the queue: priority 10; supervisors were told." Names come with the entry, as they were then. */
  function escalated(entry: EntryView): string {
    const { data } = entry;
    const { clock, elapsed_s, done, failed } = readEscalated(data);
    // A step at nought seconds says that it came, not that it waited.
    const why = elapsed_s < 1 ? t("happening.because_it_came") : clock === null ? t("matter.escalated") : t(`happening.because_${clock}`, { time: duration(elapsed_s, locale.value) });
    const named = {
      priority: Number(data["priority"] ?? 0), queue: String(data["queue_name"] ?? ""), name: String(data["notified"] ?? ""), agent: String(data["agent_name"] ?? ""), tag: String(data["tag"] ?? ""),
    };
    const did = done.map((kind) => {
      if (kind === "notify_role") return t(`happening.did_notify_${String(data["role"] ?? "supervisor")}s`, Number(data["notified_count"] ?? 1));
      if (kind === "page_supervisor") return t("happening.did_page_supervisor", Number(data["paged_count"] ?? 1));
      return t(`happening.did_${kind}`, named);
    });
    const could_not = failed.map(({ kind, reason }) => {
      const because = te(`happening.why_${reason}`) ? t(`happening.why_${reason}`) : reason;
      return t("happening.could_not", { what: t(`ladder.kind_${kind}`), why: because });
    });
    return t("happening.escalated", { why, what: [...did, ...could_not].join("; ") || "–" });
  }

  /** The sentence of an event line. Names come with the entry, as they were when it happened. */
  function happening(entry: EntryView): string {
    const { agent_name: agent, queue_name: queue, reason, state } = entry.data;
    const bySystem = entry.author.kind === "system";
    const who = bySystem ? String(agent ?? t("common.system")) : entry.author.name;
    switch (entry.happening) {
      case "transferred":
        return t("happening.transferred", { who, to: String(queue ?? agent ?? "") });
      case "released":
        return bySystem || reason !== "released"
          ? t("happening.taken_back", { who, queue: String(queue ?? "") })
          : t("happening.released", { who, queue: String(queue ?? "") });
      case "reopened":
        return t(bySystem ? "happening.reopened_by_customer" : "happening.reopened", { who });
      case "pinned":
        return agent === undefined || agent === null ? t("happening.unpinned", { who }) : t("happening.pinned", { who, to: String(agent) });
      case "prioritised":
        return t("happening.prioritised", { who, priority: Number(entry.data["priority"] ?? 0) });
      case "topic":
        return entry.data["topic"] ? t("happening.topic", { who, topic: String(entry.data["topic"]) }) : t("happening.topic_none", { who });
      case "escalated":
        return escalated(entry);
      case "tagged":
        return [
          entry.data["added"] ? t("happening.tagged", { who, tags: String(entry.data["added"]) }) : "",
          entry.data["removed"] ? t("happening.untagged", { who, tags: String(entry.data["removed"]) }) : "",
        ].filter(Boolean).join(" · ");
      case "callback":
        return t(`callback.happened_${state}`, { who, address: readableNumber(String(entry.data["address"] ?? "")), n: Number(entry.data["attempts"] ?? 0) });
      case "accepted":
        return t(entry.data["auto"] ? "happening.accepted_auto" : "happening.accepted", { who });
      case "parked": {
        const until = String(entry.data["until"] ?? "");
        const zone = hub.state?.organisation.time_zone ?? "UTC";
        return t("happening.parked", { who, when: `${dayName(until, Date.parse(entry.at), locale.value, zone)}, ${clockTime(until, locale.value, zone)}` });
      }
      case "unparked":
        return t(reason === "customer" ? "happening.unparked_by_customer" : reason === "hand" ? "happening.unparked" : "happening.unparked_by_itself", { who });
      case "task_made": {
        const zone = hub.state?.organisation.time_zone ?? "UTC";
        const due = String(entry.data["due_at"] ?? "");
        const when = `${dayName(due, Date.parse(entry.at), locale.value, zone)}, ${clockTime(due, locale.value, zone)}`;
        const whose = entry.data["agent_id"] === entry.author.user_id ? "" : String(agent ?? queue ?? "");
        return t(whose ? "task.line_made_for" : "task.line_made", { who, title: String(entry.data["title"] ?? ""), when, whose });
      }
      case "task_done":
      case "task_dropped":
        return t(`task.line_${entry.happening}`, { who, title: String(entry.data["title"] ?? "") });
      case "form":
        return t("happening.form", { answers: String(entry.data["answers"] ?? "").replaceAll("\n", " · ") });
      case "merged":
      case "split":
        return t(`happening.${entry.happening}`, { who, id: Number(entry.data["into_id"] ?? 0) });
      case "took_in":
      case "split_off":
        return t(`happening.${entry.happening}`, { who, id: Number(entry.data["from_id"] ?? 0) });
      case "unmerged":
        // In the one that had taken the other in, and in that other itself.
        return t(entry.data["into_id"] ? "happening.unmerged" : "happening.unmerged_from", { who, id: Number(entry.data["from_id"] ?? 0) });
      case "setup_failed":
        return t("happening.setup_failed", { who, queue: String(queue ?? "") });
      case "placed":
        return placed(entry.data);
      case "survey":
        return t("happening.survey");
      case "scored": {
        const kind = entry.data["survey"] as SurveyKind;
        return t("happening.scored", { who, score: score(kind, Number(entry.data["score"])), what: t(`surveys.kind_${kind}`) });
      }
      case "bounced":
      case "complained":
        return t(`happening.${entry.happening}`, { address: readableNumber(String(entry.data["address"] ?? "")) });
      case null:
        return t("happening.unknown");
      default:
        return t(`happening.${entry.happening}`, { who });
    }
  }

  /** "4 of 5". */
  const score = (kind: SurveyKind, value: number | null): string => (value === null ? "–" : t("surveys.of", { score: value, most: SCALES[kind].at(-1) ?? 0 }));

  /** What rules did to a conversation that began; lists come as lines. */
  function placed(data: EntryView["data"]): string {
    const rules = String(data["rules"] ?? "").split("\n");
    const what = [
      data["queue"] && t("happening.placed_queue", { queue: data["queue"] }),
      data["topic"] && t("happening.placed_topic", { topic: data["topic"] }),
      data["priority"] && t("happening.placed_priority", { minutes: data["priority"] }),
      data["tags"] && t("happening.placed_tags", { tags: String(data["tags"]).replaceAll("\n", ", ") }),
      data["required"] && t("happening.placed_required"),
      data["auto_reply"] && t("happening.placed_auto_reply"),
    ].filter(Boolean);
    return t("happening.placed", { rules: rules.join(", "), what: what.join(", ") || t("happening.placed_nothing") }, rules.length);
  }

  return { customerName, agentName, queueName, skillName, reach, preview, agentState, absence, failure, attempt, reason, subject, happening, score };
}
