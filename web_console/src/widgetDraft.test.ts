import { describe, expect, it } from "vitest";

import { draftOf, faultsByName, fieldsOf } from "./widgetDraft";

describe("a chat's window while it is set up", () => {
  it("asks in one order, with topics as lines, and finds whose fault it is", () => {
    const draft = draftOf(null);
    expect(fieldsOf(draft)).toEqual([]);
    Object.assign(draft.asked.topic, { asks: true, required: true, label: " About ", options: "Delivery\n\n Returns " });
    Object.assign(draft.asked.name, { asks: true, options: "ignored" });
    expect(fieldsOf(draft)).toEqual([
      { name: "name", required: false, label: "", options: [] },
      { name: "topic", required: true, label: "About", options: ["Delivery", "Returns"] },
    ]);
    expect(faultsByName(draft, { "fields.1.options": "twice", colour: "no" })).toEqual({ "topic.options": "twice", colour: "no" });
  });
});
