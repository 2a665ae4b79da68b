/*
 * A menu that callers hear while it is edited: nodes that lead to each other, shown as a tree. Pure. The hub has the last word
 * (hub/calls/flow.py) and names every fault at its node.
 *
 * Several ways may lead to one node. It is shown where it is reached by the fewest steps; the other ways say that they lead there.
 * What nothing leads to any more is gone.
 */
import type { FlowBody, FlowNode, FlowSpoken, FlowView } from "./events";
import type { IconName } from "./ui/icons";

export type NodeKind = FlowNode["kind"];
export type AskNode = Extract<FlowNode, { kind: "menu" | "language" }>;
export interface FlowDraft {
  name: string;
  body: FlowBody;
}

/** A way out of a node, by its field there ("choices.0.to"); `node` "": the beginning. */
export interface Way {
  node: string;
  field: string;
}

export const KINDS = ["menu", "hours", "language", "say", "queue", "voicemail", "callback", "number", "hang_up"] as const satisfies readonly NodeKind[];
export const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#"] as const;
/** As a telephone has them. */
export const PAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;
/** In which the hub itself speaks (hub/calls/phrases.py). */
export const SPOKEN_LANGUAGES = ["en", "hy", "ka", "az", "uk"] as const;
export const KIND_ICONS: Record<NodeKind, IconName> = {
  menu: "list", hours: "clock", language: "globe", say: "volume", queue: "inbox", voicemail: "voicemail", callback: "callOut", number: "forward", hang_up: "hangUp",
};

export const BEGINNING: Way = { node: "", field: "start" };

// --- ways ------------------------------------------------------------------------------------------------------------------

export function waysOf(id: string, node: FlowNode): Way[] {
  const way = (field: string): Way => ({ node: id, field });
  switch (node.kind) {
    case "menu":
    case "language":
      return [...node.choices.map((_, index) => way(`choices.${index}.to`)), way("otherwise")];
    case "hours":
      return [way("open"), way("closed")];
    case "say":
      return [way("next")];
    case "queue":
      return node.after_s === null ? [] : [way("else")];
    case "callback":
    case "number":
      return [way("otherwise")];
    case "voicemail":
    case "hang_up":
      return [];
  }
}

const indexOf = (way: Way) => Number(way.field.split(".")[1]);
const isChoice = (way: Way) => way.field.startsWith("choices.");

/** The node it leads to; "" if it leads nowhere yet. */
export function targetOf(body: FlowBody, way: Way): string {
  if (way.node === "") return body.start;
  const node = body.nodes[way.node];
  if (!node) return "";
  if (isChoice(way)) return (node as AskNode).choices[indexOf(way)]?.to ?? "";
  return (node as unknown as Record<string, string | null>)[way.field] ?? "";
}

export const sameWay = (a: Way | undefined, b: Way) => a?.node === b.node && a.field === b.field;

function aimed(body: FlowBody, way: Way, to: string): FlowBody {
  if (way.node === "") return { ...body, start: to };
  const node = body.nodes[way.node];
  if (!node) return body;
  if (!isChoice(way)) return withNode(body, way.node, { ...node, [way.field]: to } as FlowNode);
  const choices = (node as AskNode).choices.map((choice, index) => (index === indexOf(way) ? { ...choice, to } : choice));
  return withNode(body, way.node, { ...node, choices } as FlowNode);
}

export const withNode = (body: FlowBody, id: string, node: FlowNode): FlowBody => ({ ...body, nodes: { ...body.nodes, [id]: node } });

/** Where each node is shown: at the way that comes to it in the fewest steps. Ways to nodes that are not there lead nowhere. */
export function outline(body: FlowBody): Map<string, Way> {
  const shown = new Map<string, Way>();
  const ahead: Way[] = [BEGINNING];
  for (let way = ahead.shift(); way; way = ahead.shift()) {
    const to = targetOf(body, way);
    const node = body.nodes[to];
    if (!node || shown.has(to)) continue;
    shown.set(to, way);
    ahead.push(...waysOf(to, node));
  }
  return shown;
}

/** Without what nothing leads to any more, and without ways to what is not there. */
function pruned(body: FlowBody): FlowBody {
  const shown = outline(body);
  let kept: FlowBody = { ...body, nodes: Object.fromEntries(Object.entries(body.nodes).filter(([id]) => shown.has(id))) };
  for (const way of allWays(kept)) {
    const to = targetOf(kept, way);
    if (to !== "" && !kept.nodes[to]) kept = aimed(kept, way, "");
  }
  return kept;
}

export const allWays = (body: FlowBody): Way[] => [BEGINNING, ...Object.entries(body.nodes).flatMap(([id, node]) => waysOf(id, node))];

/** Ways that lead nowhere yet. */
export const openWays = (body: FlowBody): Way[] => allWays(body).filter((way) => targetOf(body, way) === "");

/** The node and all that is shown below it. */
export function branchOf(body: FlowBody, id: string): Set<string> {
  const shown = outline(body);
  const branch = new Set([id]);
  for (const [each, way] of shown) if (branch.has(way.node)) branch.add(each);
  return branch;
}

// --- changes ---------------------------------------------------------------------------------------------------------------

export const link = (body: FlowBody, way: Way, to: string): FlowBody => pruned(aimed(body, way, to));

/** A new node there, and its name. What stood there comes after it, where it has a way on. */
export function insert(body: FlowBody, way: Way, node: FlowNode): { body: FlowBody; id: string } {
  const id = freshId(body, node.kind);
  const after = targetOf(body, way);
  const first = waysOf(id, node)[0];
  let grown = withNode(body, id, node);
  if (after !== "" && first) grown = aimed(grown, first, after);
  return { body: pruned(aimed(grown, way, id)), id };
}

/** Without the node. What only led on to one other lets that take its place; what else comes after it goes with it. */
export function drop(body: FlowBody, id: string): FlowBody {
  const node = body.nodes[id];
  if (!node) return body;
  const ways = waysOf(id, node);
  const after = ways.length === 1 && ways[0] ? targetOf(body, ways[0]) : "";
  let left = body;
  for (const way of allWays(body)) if (targetOf(body, way) === id) left = aimed(left, way, after === id ? "" : after);
  return pruned(left);
}

/** The node, with all that comes after it, where nothing is yet. The way that led to it leads nowhere then. */
export function move(body: FlowBody, id: string, to: Way): FlowBody {
  const from = outline(body).get(id);
  return from && !branchOf(body, id).has(to.node) ? pruned(aimed(aimed(body, from, ""), to, id)) : body;
}

/** A choice further up or down in its menu. */
export function moveChoice<N extends AskNode>(node: N, index: number, step: number): N {
  const choices = [...node.choices] as typeof node.choices;
  const [choice] = choices.splice(index, 1);
  if (choice) choices.splice(index + step, 0, choice as never);
  return { ...node, choices };
}

/** The first key that stands for nothing yet. */
export const freeKey = (node: AskNode): string => KEYS.find((key) => !node.choices.some((choice) => choice.key === key)) ?? "";

export function addChoice<N extends AskNode>(node: N, language: string): N {
  const choice = node.kind === "menu" ? { key: freeKey(node), label: "", words: [], to: "" } : { key: freeKey(node), language, to: "" };
  return { ...node, choices: [...node.choices, choice] };
}

export function dropChoice(body: FlowBody, id: string, index: number): FlowBody {
  const node = body.nodes[id] as AskNode | undefined;
  return node ? pruned(withNode(body, id, { ...node, choices: node.choices.filter((_, each) => each !== index) } as FlowNode)) : body;
}

function freshId(body: FlowBody, kind: NodeKind): string {
  let number = 1;
  while (body.nodes[`${kind}-${number}`]) number += 1;
  return `${kind}-${number}`;
}

/** What a new node begins with, where there is more than one possibility. */
export interface Usual {
  queueId: number | null;
  calendarId: number | null;
  language: string;
}

export const spoken = (language: string): FlowSpoken => ({ text: "", language, sound_id: null });

export function newNode(kind: NodeKind, usual: Usual): FlowNode {
  const common = { title: "", said: [] as FlowSpoken[] };
  const said = [spoken(usual.language)];
  switch (kind) {
    case "menu":
      return { kind, ...common, said, choices: [{ key: "1", label: "", words: [], to: "" }], tries: 3, timeout_s: 8, otherwise: "" };
    case "language":
      return { kind, ...common, said, choices: [{ key: "1", language: usual.language, to: "" }], tries: 2, timeout_s: 8, otherwise: "" };
    case "hours":
      return { kind, title: "", calendar_id: usual.calendarId, open: "", closed: "" };
    case "say":
      return { kind, ...common, said, next: "" };
    case "queue":
      return { kind, ...common, queue_id: usual.queueId, after_s: null, else: null };
    case "voicemail":
      return { kind, ...common, queue_id: null, limit_s: 180 };
    case "callback":
      return { kind, ...common, queue_id: null, otherwise: "" };
    case "number":
      return { kind, ...common, number: "", ring_s: 25, otherwise: "" };
    case "hang_up":
      return { kind, ...common };
  }
}

// --- drafts ----------------------------------------------------------------------------------------------------------------

export function draftedFlow(from: FlowView | null, language: string): FlowDraft {
  if (from === null) return { name: "", body: { start: "", language, nodes: {} } };
  return structuredClone({ name: from.name, body: from.body });
}

/** Words for the menu that most begin with. */
export interface UsualWords {
  welcome: string;
  choices: string;
  closed: string;
}

/** A menu that suits many: open, a choice of queues; closed, a voicemail. Without business hours it is always open. */
export function usualFlow(name: string, language: string, queues: readonly { value: number; label: string }[], calendarId: number | null, words: UsualWords): FlowDraft {
  const said = (text: string) => [{ text, language, sound_id: null }];
  const first = queues.slice(0, 3);
  const nodes: FlowBody["nodes"] = {};
  if (calendarId !== null) nodes["hours-1"] = { kind: "hours", title: "", calendar_id: calendarId, open: "menu-1", closed: "voicemail-1" };
  const queueNodes = first.map((queue, index): [string, FlowNode] => [`queue-${index + 1}`, { kind: "queue", title: "", said: [], queue_id: queue.value, after_s: null, else: null }]);
  nodes["menu-1"] = {
    kind: "menu", title: "", tries: 3, timeout_s: 8, otherwise: queueNodes[0]?.[0] ?? "voicemail-2",
    said: said([words.welcome, ...first.map((queue, index) => words.choices.replace("{key}", String(index + 1)).replace("{queue}", queue.label))].join(" ")),
    choices: [
      ...queueNodes.map(([to], index) => ({ key: String(index + 1), label: first[index]?.label ?? "", words: [], to })),
      { key: "0", label: "", words: [], to: "voicemail-2" },
    ],
  };
  Object.assign(nodes, Object.fromEntries(queueNodes));
  nodes["voicemail-2"] = { kind: "voicemail", title: "", said: [], queue_id: null, limit_s: 180 };
  if (calendarId !== null) nodes["voicemail-1"] = { kind: "voicemail", title: "", said: said(words.closed), queue_id: null, limit_s: 180 };
  return { name, body: { start: calendarId === null ? "menu-1" : "hours-1", language, nodes } };
}

/** Of a node, by the names of its own fields: "choices.0.key", "" (the node itself). */
export function faultsAt(fields: Readonly<Record<string, string>>, id: string): Record<string, string> {
  const place = `body.nodes.${id}`;
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, words]) => (name === place ? [["", words]] : name.startsWith(`${place}.`) ? [[name.slice(place.length + 1), words]] : [])),
  );
}

/** What is wrong in the menu and stands at no node that is shown. */
export const looseFaults = (fields: Readonly<Record<string, string>>, body: FlowBody): string[] =>
  Object.entries(fields).flatMap(([name, words]) => {
    const id = /^body\.nodes\.([\w-]+)/.exec(name)?.[1];
    return name === "name" || name === "body.start" || (id !== undefined && body.nodes[id]) ? [] : [words];
  });
