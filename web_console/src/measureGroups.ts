/* What measures are about, so that some sixty of them can be looked over. By their ids: a measure that is new finds its place. Pure. */
const BELONGS = {
  service: /^(service_level|abandonment|asa_|wait|visits?_|answered|longest_wait|backlog|ewt|calls_(offered|answered|abandoned|short_abandoned))/,
  speed: /^(first_response|response|resolution|resolved|resolutions|reopen|fcr)/,
  volume: /^(contacts|handled|calls_|chats|mails|texts|segments|offered)/,
  handling: /^(aht|talk|hold|wrap_up|handle_|handling|transfer)/,
  satisfaction: /^(csat|nps|ces|survey)/,
  people: /^(occupancy|adherence|load|work|available|offer|away|busy|signed_in|state)/,
} as const satisfies Record<string, RegExp>;

export const MEASURE_GROUPS = [...(Object.keys(BELONGS) as (keyof typeof BELONGS)[]), "other"] as const;
export type MeasureGroup = (typeof MEASURE_GROUPS)[number];

export function groupOf(id: string): MeasureGroup {
  const found = Object.entries(BELONGS).find(([, pattern]) => pattern.test(id));
  return (found?.[0] as MeasureGroup | undefined) ?? "other";
}
