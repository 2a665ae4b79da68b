/*
 * A rule as one plain sentence: "When it comes by SMS and it says “refund”: put it into Complaints; tag it refund." Pure: what things
 * are called comes from outside.
 */
import type { ChannelKind, Rule } from "./events";

export interface RuleNames {
  t: (key: string, values?: Record<string, unknown>) => string;
  queue: (id: number) => string;
  channel: (id: string) => string;
  calendar: (id: number) => string;
  topic: (id: number) => string;
  skill: (id: number) => string;
  language: (code: string) => string;
}

/** Of a longer answer so much is told. */
const REPLY_SHOWN = 60;

export function sentenceOf(rule: Rule, names: RuleNames): string {
  const conditions = conditionWords(rule.when, names);
  const results = resultWords(rule.then, names).join("; ") || names.t("rules.say_nothing");
  return conditions.length === 0 ? names.t("rules.sentence_always", { results }) : names.t("rules.sentence", { conditions: joined(conditions, "and", names), results });
}

/** "a, b and c", or "a, b or c". */
function joined(texts: readonly string[], by: "and" | "or", { t }: RuleNames): string {
  const last = texts.at(-1) ?? "";
  if (texts.length < 2) return last;
  return t(`rules.${by}`, { a: texts.slice(0, -1).join(", "), b: last });
}

/** Of a long list of words so many are told. */
const WORDS_SHOWN = 5;
const quoted = (words: readonly string[], { t }: RuleNames) => {
  const shown = words.length > WORDS_SHOWN + 1 ? words.slice(0, WORDS_SHOWN) : words;
  const left = words.length - shown.length;
  return [...shown.map((word) => `“${word}”`), ...(left ? [t("rules.more", { n: left })] : [])];
};

function conditionWords(when: Rule["when"], names: RuleNames): string[] {
  const { t } = names;
  const said: string[] = [];
  if (when.kinds.length) said.push(t("rules.say_kinds", { kinds: joined(when.kinds.map((kind: ChannelKind) => t(`channel.${kind}`)), "or", names) }));
  if (when.channel_ids.length) said.push(t("rules.say_channels", { channels: joined(when.channel_ids.map(names.channel), "or", names) }));
  if (when.words) {
    const { any, all, none, where } = when.words;
    const part = where === "subject" ? "_subject" : "";
    if (any.length) said.push(t(`rules.say_any${part}`, { words: joined(quoted(any, names), "or", names) }));
    if (all.length) said.push(t(`rules.say_any${part}`, { words: joined(quoted(all, names), "and", names) }));
    if (none.length) said.push(t(`rules.say_none${part}`, { words: joined(quoted(none, names), "or", names) }));
  }
  if (when.hours) said.push(t(when.hours.open ? "rules.say_open" : "rules.say_closed", { calendar: names.calendar(when.hours.calendar_id) }));
  if (when.languages.length) said.push(t("rules.say_languages", { languages: joined(when.languages.map(names.language), "or", names) }));
  if (when.tier_at_least !== null) said.push(t("rules.say_tier", { tier: t(`customer.tier_${when.tier_at_least}`) }));
  if (when.is_known !== null) said.push(t(when.is_known ? "rules.say_known" : "rules.say_new"));
  if (when.sender_domains.length) said.push(t("rules.say_domains", { domains: joined(when.sender_domains, "or", names) }));
  if (when.topic_ids.length) said.push(t("rules.say_topics", { topics: joined(when.topic_ids.map(names.topic), "or", names) }));
  return said;
}

function resultWords(then: Rule["then"], names: RuleNames): string[] {
  const { t } = names;
  const said: string[] = [];
  if (then.queue_id !== null) said.push(t("rules.do_queue", { queue: names.queue(then.queue_id) }));
  if (then.priority !== null) said.push(t(then.priority < 0 ? "rules.do_priority_back" : "rules.do_priority", { minutes: Math.abs(then.priority) }));
  if (then.required.length) said.push(t("rules.do_required", { skills: then.required.map((each) => t("queues.skill_at", { skill: names.skill(each.skill_id), level: each.level })).join(", ") }));
  if (then.topic_id !== null) said.push(t("rules.do_topic", { topic: names.topic(then.topic_id) }));
  if (then.tags.length) said.push(t("rules.do_tags", { tags: then.tags.join(", ") }));
  if (then.auto_reply) said.push(t("rules.do_reply", { text: shortened(then.auto_reply) }));
  return said;
}

/** Its beginning, without half a placeholder at the end. */
function shortened(text: string): string {
  if (text.length <= REPLY_SHOWN) return text;
  return `${text.slice(0, REPLY_SHOWN).replace(/\{\w*$/, "").trimEnd()}…`;
}
