import { describe, expect, it } from "vitest";

import { begunAt, namedIn, notePieces, offered, type Nameable } from "./mentions";

const nameable = (kind: Nameable["kind"], id: number, name: string): Nameable => ({ kind, id, name, isNew: false });
const ALL = [nameable("user", 1, "Anna"), nameable("user", 2, "Anna Petrosyan"), nameable("user", 3, "Արամ"), nameable("team", 7, "Night shift"), nameable("user", 4, "Anna")];

describe("a name that is being written", () => {
  it.each([
    ["@", 1, { from: 0, words: "" }],
    ["see @an", 7, { from: 4, words: "an" }],
    ["(@Night sh", 10, { from: 1, words: "Night sh" }],
    ["mail anna@hub", 13, null],
    ["@anna\nnext", 10, null],
    ["@ anna", 6, null],
    ["no sign", 7, null],
  ])("in %j at %i", (text, caret, begun) => {
    expect(begunAt(text, caret)).toEqual(begun);
  });

  it("is offered by its beginning, then by that of a further word", () => {
    expect(offered(ALL, "pet").map((each) => each.id)).toEqual([2]);
    expect(offered(ALL, "an").map((each) => each.id)).toEqual([1, 2, 4]);
    expect(offered(ALL, "ար").map((each) => each.id)).toEqual([3]);
    expect(offered(ALL, "shift").map((each) => each.id)).toEqual([7]);
    expect(offered(ALL, "Anna ").map((each) => each.id)).toEqual([]);
    expect(offered(ALL, "Anna p").map((each) => each.id)).toEqual([2]);
  });
});

describe("who is named in a text", () => {
  it("is whoever's whole name stands behind an @, the longer name before the shorter", () => {
    expect(namedIn("@Anna Petrosyan and @Night shift, not @Ann or x@Anna", ALL)).toEqual([{ kind: "user", id: 2 }, { kind: "team", id: 7 }]);
  });

  it("is who was chosen, of two with one name", () => {
    expect(namedIn("@Anna: look", ALL)).toEqual([{ kind: "user", id: 1 }]);
    expect(namedIn("@Anna: look", ALL, new Map([["Anna", { kind: "user", id: 4 }]]))).toEqual([{ kind: "user", id: 4 }]);
  });

  it("is marked in the timeline by what the hub keeps, and nothing else is", () => {
    expect(notePieces("Ask @Anna, <b>@Bo</b>", { "user:1": "Anna", title: "Bo" })).toEqual([
      { text: "Ask ", ref: null },
      { text: "@Anna", ref: "user:1" },
      { text: ", <b>@Bo</b>", ref: null },
    ]);
  });
});
