import { describe, expect, it } from "vitest";

import { grainOfQuery, readQuery, type ReportQuery, spanOfQuery, USUAL, writeQuery } from "./reportQuery";

const FULL: ReportQuery = {
  report: "service-level",
  measures: ["service_level", "abandonment_rate"],
  period: "custom",
  custom: { from: "2026-11-01", to: "2026-11-14" },
  grain: "week",
  by: "queue",
  ids: ["3", "7"],
  filters: { channel: "phone-demo" },
  compare: false,
  drawn: "abandonment_rate",
  as: "compare",
  rows: "time",
  sort: "service_level",
  ascending: true,
};

describe("the address of a report", () => {
  it("holds nothing while all is as usual", () => {
    expect(writeQuery(USUAL)).toEqual({});
    expect(readQuery({})).toEqual(USUAL);
  });

  it("holds all that was chosen, and gives it back", () => {
    expect(readQuery(writeQuery(FULL) as Record<string, string>)).toEqual(FULL);
  });

  it("keeps a period with a name as its name: a link to the last seven days stays one", () => {
    expect(writeQuery({ ...USUAL, period: "last_28" })).toEqual({ period: "last_28" });
  });

  it.each([
    [{ from: "2026-11-14", to: "2026-11-01" }],
    [{ from: "2026-02-30", to: "2026-03-01" }],
    [{ period: "custom" }],
    [{ period: "next_week", grain: "second", by: "mood", rows: "x", as: "y" }],
    [{ measures: ["", null], sort: "" }],
  ])("reads %j as usual", (query) => {
    expect(readQuery(query as Parameters<typeof readQuery>[0])).toEqual(USUAL);
  });

  it("holds of a ready-made report only what was changed", () => {
    const { ids: _ids, filters: _filters, ...base } = FULL;
    const ready = { ...base, ids: [], filters: {}, period: "last_28" as const, custom: null };
    expect(writeQuery({ ...ready, by: "none", compare: true }, ready)).toEqual({ report: "service-level", by: "none", compare: "previous" });
    expect(readQuery({ report: "service-level", by: "none", compare: "previous" }, ready)).toEqual({ ...ready, by: "none", compare: true });
  });

  it("sorts downwards with a minus", () => {
    expect(readQuery({ sort: "-aht" })).toMatchObject({ sort: "aht", ascending: false });
    expect(writeQuery({ ...USUAL, sort: "aht" })).toEqual({ sort: "-aht" });
  });
});

it("a grain that does not suit the period gives way", () => {
  const year = spanOfQuery({ period: "custom", custom: { from: "2026-01-01", to: "2026-12-31" } }, "2026-11-26");
  expect([grainOfQuery({ grain: "interval" }, year), grainOfQuery({ grain: "month" }, year), grainOfQuery({ grain: "auto" }, year)]).toEqual(["week", "month", "week"]);
});
