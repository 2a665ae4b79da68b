import { describe, expect, it } from "vitest";

import { readEscalated } from "./escalated";

describe("a fired step in the timeline", () => {
  it("says its clock, what was done and what could not be", () => {
    const data = { clock: "first_response", elapsed_s: 900, policy: "Usual", actions: "raise_priority,page_supervisor", failed: "assign_to:user_gone" };
    expect(readEscalated(data)).toEqual({
      clock: "first_response", elapsed_s: 900, policy: "Usual", done: ["raise_priority", "page_supervisor"], failed: [{ kind: "assign_to", reason: "user_gone" }],
    });
  });

  it("says each kind once, and nothing of what it does not know", () => {
    const told = readEscalated({ clock: "weather", actions: "tag,tag,dance", failed: "sing:hoarse" });
    expect(told).toMatchObject({ clock: null, done: ["tag"], failed: [] });
  });

  it("may have done nothing", () => {
    expect(readEscalated({ clock: "idle", actions: null, failed: null })).toMatchObject({ clock: "idle", done: [], failed: [] });
  });
});
