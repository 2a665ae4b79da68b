/*
 * The reducer as a command, for the server's tests: reads {"snapshot", "frames"} as JSON on standard input and prints the
 * canonical state after the frames, the same form as `{"snapshot": later, "frames": []}` prints for a later snapshot.
 *
 *     node replay.js < recorded.json
 */
import type { Frame, Snapshot } from "./events";
import { applyFrame, canonical, initial } from "./state";

export function replay(recorded: { snapshot: Snapshot; frames: Frame[] }): string {
  return JSON.stringify(canonical(recorded.frames.reduce(applyFrame, initial(recorded.snapshot))), sortKeys, 2);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

interface NodeProcess {
  stdin: AsyncIterable<Uint8Array>;
  stdout: { write(text: string): void };
}

const node = (globalThis as { process?: NodeProcess }).process;
if (node && import.meta.url.endsWith("replay.js")) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of node.stdin) text += decoder.decode(chunk, { stream: true });
  node.stdout.write(replay(JSON.parse(text) as { snapshot: Snapshot; frames: Frame[] }) + "\n");
}
