/* What may be chosen on a card, in the reader's words: countries, time zones, languages, colleagues; and what stands on other cards. */
import { computed, ref } from "vue";
import { useI18n } from "vue-i18n";

import { numerals, ownCalendar } from "./calendars";
import { birthdayWords, CARD_FACTS, dateWords, type Fact, factOf, type FactValue, isEmpty } from "./card";
import { api } from "./client";
import { useServerNow } from "./clock";
import { countries, countryName } from "./countries";
import type { ConversationView, CustomerView, CustomFieldView } from "./events";
import { useHub } from "./hub";
import { useWords } from "./words";

// Where the first of our houses are, and whom they meet.
const NEAR_COUNTRIES = ["AM", "GE", "AZ", "UA"];
const LANGUAGES = ["hy", "ka", "az", "uk", "ru", "en", "de", "fr", "es", "tr", "fa", "ar"];
const CHANNELS = ["sms", "phone", "email", "chat"] as const;
// Browsers still list the city's former spelling; both name one zone (tz database, 2022b).
const SPELT_NEWLY: Readonly<Record<string, string>> = { "Europe/Kiev": "Europe/Kyiv" };

// One page asks once; who has the card open for hours may miss the newest word.
const sources = ref<readonly string[]>([]);
const tags = ref<readonly string[]>([]);
let asked = false;

/** What stands on other cards, for whoever is about to write on one: it is asked for when a field or a form for it is opened. */
export function useCardWords() {
  function ask(): void {
    if (asked) return;
    asked = true;
    api.cardWords().then(
      (told) => {
        sources.value = told.sources;
        tags.value = told.tags;
      },
      // Nothing is offered then; everything can be typed.
      () => (asked = false),
    );
  }

  return { sources, tags, ask };
}

interface Choice {
  value: string;
  label: string;
}

export function useCardChoices() {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const now = useServerNow();
  const { agentName } = useWords();

  const monthNames = computed(() => {
    const own = ownCalendar(locale.value);
    return Array.from({ length: 12 }, (_, month) => own?.monthsOfDate[month] ?? new Intl.DateTimeFormat(locale.value, { month: "long", timeZone: "UTC" }).format(Date.UTC(2000, month, 1)));
  });

  function languageName(code: string): string {
    if (te(`language.${code}`)) return t(`language.${code}`);
    try {
      return new Intl.DisplayNames([locale.value, "en"], { type: "language" }).of(code) ?? code;
    } catch {
      return code;
    }
  }

  /** What may be chosen now; what is chosen already stays among it. */
  function choicesOf(fact: Fact, value: FactValue): Choice[] {
    const with_ = (choices: Choice[]) => (typeof value === "string" && value !== "" && !choices.some((each) => each.value === value) ? [{ value, label: value }, ...choices] : choices);
    switch (fact.kind) {
      case "country":
        return with_(countries(locale.value, NEAR_COUNTRIES));
      case "zone":
        return with_([...new Set([hub.state?.organisation.time_zone ?? "UTC", ...Intl.supportedValuesOf("timeZone").map((each) => SPELT_NEWLY[each] ?? each), "UTC"])].map((zone) => ({ value: zone, label: zone.replaceAll("_", " ") })));
      case "language":
        return with_(LANGUAGES.map((code) => ({ value: code, label: languageName(code) })));
      case "channel":
        return CHANNELS.map((kind) => ({ value: kind, label: t(`channel.${kind}`) }));
      case "owner": {
        const known = Object.values(hub.state?.agents ?? {}).map((agent) => ({ value: String(agent.user_id), label: agent.name })).toSorted((a, b) => a.label.localeCompare(b.label, locale.value));
        // Whoever has left is still written on the card.
        return value !== null && !known.some((each) => each.value === String(value)) ? [{ value: String(value), label: agentName(Number(value)) }, ...known] : known;
      }
      case "choice":
      case "choices": {
        const held = Array.isArray(value) ? value : [value];
        return (fact.options ?? []).filter((option) => option.active || held.includes(option.key)).map((option) => ({ value: option.key, label: option.label }));
      }
      default:
        return [];
    }
  }

  /** A fact as it is read. */
  function wordsOf(fact: Fact, value: FactValue): string {
    if (isEmpty(value)) return "";
    switch (fact.kind) {
      case "country":
        return countryName(String(value), locale.value);
      case "language":
        return languageName(String(value));
      case "channel":
        return t(`channel.${String(value)}`);
      case "owner":
        return agentName(Number(value));
      case "zone":
        return String(value).replaceAll("_", " ");
      case "yes_no":
        return t(value ? "record.yes" : "record.no");
      case "number":
        return new Intl.NumberFormat(numerals(locale.value), { maximumFractionDigits: 20 }).format(Number(value));
      case "date":
        return dateWords(String(value), locale.value);
      case "birthday": {
        const { date, age, isToday } = birthdayWords(String(value), now.value, locale.value);
        return [age === null ? date : t("record.born_age", { date, age }), isToday ? t("record.birthday_today") : ""].filter(Boolean).join(" · ");
      }
      case "choice":
      case "choices":
        return (Array.isArray(value) ? value : [value]).map((key) => fact.options?.find((option) => option.key === key)?.label ?? String(key)).join(", ");
      default:
        return Array.isArray(value) ? value.join(", ") : String(value);
    }
  }

  /** May the viewer write it? */
  const mayWrite = (field: CustomFieldView) => {
    const order = ["agent", "supervisor", "admin"];
    return order.indexOf(hub.user?.role ?? "agent") >= order.indexOf(field.editable_by);
  };

  const builtIn = computed<Fact[]>(() =>
    CARD_FACTS.map(({ key, kind, section }) => ({ key, kind, section: t(`record.section_${section}`), label: t(`record.fact_${key}`), hint: te(`record.hint_${key}`) ? t(`record.hint_${key}`) : undefined })),
  );

  /** The custom fields of customers or conversations as facts; one that is switched off is shown where it has a value. */
  function fieldsOf(subject: CustomFieldView["subject"], held: Pick<CustomerView | ConversationView, "fields">): Fact[] {
    return Object.values(hub.state?.customFields ?? {})
      .filter((field) => field.subject === subject && (field.active || field.key in held.fields))
      .toSorted((a, b) => a.position - b.position || a.id - b.id)
      .map((field) => ({
        key: `fields.${field.key}`, label: field.name, kind: field.kind, section: field.section || t("record.section_more"), hint: field.hint || undefined, options: field.options,
        readonly: !field.active || !mayWrite(field), required: field.required && field.active,
      }));
  }

  return { choicesOf, wordsOf, languageName, fieldsOf, builtIn, monthNames, valueOf: factOf };
}
