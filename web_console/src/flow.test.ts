import { describe, expect, it } from "vitest";

import type { FlowBody, FlowNode } from "./events";
import {
  addChoice, allWays, type AskNode, BEGINNING, branchOf, draftedFlow, drop, dropChoice, faultsAt, insert, KINDS, link, looseFaults, move, moveChoice, newNode,
  openWays, outline, targetOf, usualFlow, waysOf,
} from "./flow";

const USUAL = { queueId: 1, calendarId: 2, language: "en" };
const say = (next: string): FlowNode => ({ ...(newNode("say", USUAL) as Extract<FlowNode, { kind: "say" }>), next });
const menu = (otherwise: string, ...to: string[]): FlowNode => ({
  kind: "menu", title: "", said: [], tries: 3, timeout_s: 8, otherwise, choices: to.map((each, index) => ({ key: String(index + 1), label: "", words: [], to: each })),
});
const END: FlowNode = { kind: "hang_up", title: "", said: [] };
const QUEUE: FlowNode = { kind: "queue", title: "", said: [], queue_id: 1, after_s: null, else: null };
const body = (nodes: Record<string, FlowNode>, start = "a"): FlowBody => ({ start, language: "en", nodes });
const SHOP = body({ a: say("m"), m: menu("q", "q", "s", "e"), q: QUEUE, s: say("m"), e: END });
const way = (node: string, field: string) => ({ node, field });

describe("the tree", () => {
  it("shows each node once, where it is reached soonest", () => {
    expect([...outline(SHOP)]).toEqual([
      ["a", BEGINNING],
      ["m", way("a", "next")],
      ["q", way("m", "choices.0.to")],
      ["s", way("m", "choices.1.to")],
      ["e", way("m", "choices.2.to")],
    ]);
  });

  it("shows what a short way leads to there, also if a long one comes first", () => {
    const found = outline(body({ a: menu("e", "b"), b: say("c"), c: say("e"), e: END }));
    expect(found.get("e")).toEqual(way("a", "otherwise"));
  });

  it("stands a menu that names what is not there", () => {
    expect([...outline(body({ a: say("gone") })).keys()]).toEqual(["a"]);
    expect([...outline(body({}, "")).keys()]).toEqual([]);
  });

  it("knows every way and which lead nowhere", () => {
    const open = body({ a: menu("", "b", ""), b: say("a") });
    expect(openWays(open)).toEqual([way("a", "choices.1.to"), way("a", "otherwise")]);
    expect(openWays(body({}, ""))).toEqual([BEGINNING]);
    expect(allWays(SHOP)).toHaveLength(7);
  });

  it.each(KINDS)("has ways that can be set: %s", (kind) => {
    const node = newNode(kind, USUAL);
    for (const each of waysOf("x", node)) expect(targetOf(link(body({ x: node, e: END }, "x"), each, "x"), each)).toBe("x");
  });
});

describe("a change", () => {
  it("puts a new node before what stood there", () => {
    const { body: grown, id } = insert(SHOP, way("a", "next"), newNode("hours", USUAL));
    expect(id).toBe("hours-1");
    expect(targetOf(grown, way("a", "next"))).toBe("hours-1");
    expect(targetOf(grown, way("hours-1", "open"))).toBe("m");
    expect(Object.keys(grown.nodes)).toHaveLength(6);
  });

  it("puts one without a way on in the place of what stood there, which goes with all that it alone led to", () => {
    const { body: cut } = insert(SHOP, way("a", "next"), newNode("voicemail", USUAL));
    expect(Object.keys(cut.nodes)).toEqual(["a", "voicemail-1"]);
  });

  it("gives new nodes names that are free", () => {
    const first = insert(body({}, ""), BEGINNING, newNode("say", USUAL));
    expect(insert(first.body, way(first.id, "next"), newNode("say", USUAL)).id).toBe("say-2");
  });

  it("removes a message and lets what came after it take its place", () => {
    expect(drop(SHOP, "a").start).toBe("m");
    expect(targetOf(drop(SHOP, "s"), way("m", "choices.1.to"))).toBe("m");
  });

  it("removes a menu with all that only it led to", () => {
    const left = drop(SHOP, "m");
    expect(left.nodes).toEqual({ a: say("") });
  });

  it("removes a message that leads to itself", () => {
    expect(drop(body({ a: say("a") }), "a")).toEqual(body({}, ""));
  });

  it("keeps what another way still leads to", () => {
    const left = link(SHOP, way("m", "choices.0.to"), "e");
    expect(left.nodes["q"]).toBeDefined();
    expect(outline(left).get("q")).toEqual(way("m", "otherwise"));
  });

  it("moves a branch to where nothing was", () => {
    const open = addChoice(SHOP.nodes["m"] as AskNode, "en");
    const grown = { ...SHOP, nodes: { ...SHOP.nodes, m: open } };
    const moved = move(grown, "s", way("m", "choices.3.to"));
    expect(targetOf(moved, way("m", "choices.1.to"))).toBe("");
    expect(targetOf(moved, way("m", "choices.3.to"))).toBe("s");
  });

  it("moves nothing below itself", () => {
    expect(branchOf(SHOP, "m")).toEqual(new Set(["m", "q", "s", "e"]));
    expect(move(SHOP, "m", way("s", "next"))).toEqual(SHOP);
  });

  it("takes a choice away with what only it led to", () => {
    const left = dropChoice(SHOP, "m", 2);
    expect(left.nodes["e"]).toBeUndefined();
    expect((left.nodes["m"] as AskNode).choices.map((choice) => choice.key)).toEqual(["1", "2"]);
  });

  it("moves a choice and gives a new one the first free key", () => {
    const moved = moveChoice(SHOP.nodes["m"] as AskNode, 2, -1);
    expect(moved.choices.map((choice) => choice.key)).toEqual(["1", "3", "2"]);
    expect(addChoice(moved, "en").choices.at(-1)?.key).toBe("4");
  });
});

describe("a draft", () => {
  it("begins empty, or as a copy", () => {
    expect(draftedFlow(null, "hy").body).toEqual({ start: "", language: "hy", nodes: {} });
    const view = { id: 1, name: "Main", version: 3, body: SHOP, lines: [], missing: {} };
    const draft = draftedFlow(view, "en");
    expect(draft).toEqual({ name: "Main", body: SHOP });
    expect(draft.body).not.toBe(SHOP);
  });

  it.each([null, 7])("begins usual without a way that leads nowhere (hours: %s)", (calendarId) => {
    const queues = [{ value: 1, label: "Support" }, { value: 2, label: "Sales" }];
    const { body: usual } = usualFlow("Main", "en", queues, calendarId, { welcome: "Hello.", choices: "{key}: {queue}.", closed: "Closed." });
    expect(openWays(usual)).toEqual([]);
    expect(new Set(outline(usual).keys())).toEqual(new Set(Object.keys(usual.nodes)));
    expect((usual.nodes["menu-1"] as AskNode).said[0]?.text).toBe("Hello. 1: Support. 2: Sales.");
  });
});

describe("a fault", () => {
  const fields = { "body.nodes.m.choices.1.to": "leads nowhere: say how it goes on", "body.nodes.m": "odd", "body.nodes.mm.said": "no", name: "is taken" };

  it("is told at its node by the node's own names", () => {
    expect(faultsAt(fields, "m")).toEqual({ "choices.1.to": "leads nowhere: say how it goes on", "": "odd" });
  });

  it("is told below where it is at no node that is shown", () => {
    expect(looseFaults(fields, SHOP)).toEqual(["no"]);
  });
});
