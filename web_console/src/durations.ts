/* A length of time in a form: seconds for the hub, a number and a unit for whoever writes it. Pure. */
export const UNITS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 } as const;
export type DurationUnit = keyof typeof UNITS;

/** The largest unit in which it is a whole number. */
export function unitOf(seconds: number): DurationUnit {
  const names = (Object.keys(UNITS) as DurationUnit[]).toReversed();
  return seconds === 0 ? "seconds" : (names.find((unit) => seconds % UNITS[unit] === 0) ?? "seconds");
}
