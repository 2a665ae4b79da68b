import { describe, expect, it } from "vitest";

import type { ForecastInterval } from "./events";
import { numberOf, shortageOf, whatIfBody, type WhatIfForm } from "./staffing";

const quarter = (number: number, required: number | null, scheduled: number): ForecastInterval => ({
  start: new Date(Date.UTC(2026, 2, 2, 9, 15 * number)).toISOString(),
  forecast: 1,
  actual: null,
  required,
  required_scheduled: required,
  scheduled,
});

describe("who is missing", () => {
  it("counts quarters ahead in which at least half a person is missing", () => {
    const day = [quarter(0, 9, 0), quarter(1, 4, 3.6), quarter(2, 4, 3.5), quarter(3, 6, 3.5), quarter(4, null, 0), quarter(5, 2, 4)];
    const found = shortageOf(day, Date.UTC(2026, 2, 2, 9, 20));
    expect([found.quarters, found.missing, found.worst?.start]).toEqual([2, 3, "2026-03-02T09:45:00.000Z"]);
    expect(shortageOf([quarter(5, 2, 4)], 0)).toEqual({ quarters: 0, worst: null, missing: 0 });
  });
});

describe("the calculator's form", () => {
  const form: WhatIfForm = { contacts: 100, interval_s: 1800, aht_s: 180, impatient: false, patience_s: 60, concurrency: null, level: 80, within_s: 20, occupancy: null, shrinkage: 30, agents: null };

  it("says percent as shares, and nothing as null", () => {
    expect(whatIfBody(form)).toMatchObject({ service_level: 0.8, shrinkage: 0.3, occupancy: null, patience_s: null, concurrency: 1, agents: null });
    expect(whatIfBody({ ...form, impatient: true, level: null, occupancy: 85 })).toMatchObject({ service_level: null, occupancy: 0.85, patience_s: 60 });
  });

  it("reads an empty number field as nothing", () => {
    expect(["", "12", 7, null, "x"].map(numberOf)).toEqual([null, 12, 7, null, null]);
  });
});
