/* How what other systems told is shown: its icon, its money, its link. Pure. */
import { numerals } from "./calendars";
import type { ActivityView } from "./events";
import { ICONS, type IconName } from "./ui/icons";

export const activityIcon = (kind: string): IconName => (kind in ICONS ? (kind as IconName) : "other");

/** "12 500 ֏". A currency the browser does not know is said as it came. */
export function money(activity: Pick<ActivityView, "amount" | "currency">, locale: string): string {
  if (activity.amount === null || activity.currency === null) return "";
  const number = Number(activity.amount);
  try {
    return new Intl.NumberFormat(numerals(locale), { style: "currency", currency: activity.currency, minimumFractionDigits: Number.isInteger(number) ? 0 : 2 }).format(number);
  } catch {
    return `${activity.amount} ${activity.currency}`;
  }
}

/** Where to read more, and whose page that is; null where there is none that one should follow. */
export function link(activity: Pick<ActivityView, "url">): { href: string; host: string } | null {
  if (activity.url === null || !URL.canParse(activity.url)) return null;
  const { protocol, hostname, href, username, password } = new URL(activity.url);
  return protocol === "https:" && username === "" && password === "" ? { href, host: hostname } : null;
}
