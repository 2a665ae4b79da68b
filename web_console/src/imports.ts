/* What a column of a file of customers can be, in the groups in which a list offers it. */
import { useI18n } from "vue-i18n";

import { numerals } from "./calendars";
import type { ImportProgressView } from "./events";
import { useHub } from "./hub";

export const LEFT_OUT = "";

const GROUPS = {
  who: ["name", "first_name", "middle_name", "last_name", "company", "job_title", "birthday", "language", "external_id"],
  reach: ["phone", "email", "preferred_channel"],
  where: ["country", "region", "town", "district", "street", "postcode", "time_zone"],
  more: ["tags", "source", "owner", "note"],
} as const;
type Group = keyof typeof GROUPS | "consent" | "fields";

/** Where in the list a target stands. */
export function groupOf(target: string): Group {
  if (target.startsWith("field.")) return "fields";
  if (target.startsWith("handle.")) return "reach";
  if (/^(?:ads|no_ads|silence)\./.test(target)) return "consent";
  return (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).find((group) => (GROUPS[group] as readonly string[]).includes(target)) ?? "more";
}

export const isUnderWay = (progress: Pick<ImportProgressView, "state">): boolean => progress.state === "trying" || progress.state === "running";

export const newerOf = (held: ImportProgressView, told: ImportProgressView | undefined): ImportProgressView => (told && told.version > held.version ? told : held);

const NETWORKS: Readonly<Record<string, string>> = { facebook: "Facebook", instagram: "Instagram", linkedin: "LinkedIn", messenger: "Messenger", telegram: "Telegram", tiktok: "TikTok", x: "X", youtube: "YouTube" };

export function useImportWords() {
  const { t, te, locale } = useI18n();
  const hub = useHub();

  function targetName(target: string): string {
    const [what = "", rest = ""] = target.split(".");
    switch (what) {
      case "field":
        return Object.values(hub.state?.customFields ?? {}).find((field) => field.subject === "customer" && field.key === rest)?.name ?? rest;
      case "handle":
        return t("imports.target_handle", { network: NETWORKS[rest] ?? rest });
      case "ads":
      case "no_ads":
      case "silence":
        return t(`imports.target_${what}`, { way: t(`channel.${rest}`) });
      case "name":
      case "phone":
      case "email":
      case "note":
        return t(`customer.${what}`);
      case "owner":
        return t("record.fact_owner_id");
      default:
        return te(`imports.target_${what}`) ? t(`imports.target_${what}`) : t(`record.fact_${what}`);
    }
  }

  const number = (count: number) => new Intl.NumberFormat(numerals(locale.value)).format(count);
  return { targetName, number };
}
