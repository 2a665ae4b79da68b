/* A chat's window while it is set up: what is asked stands there whether it is asked or not, so that switching it off and on again
   loses no words. */
import type { ChatWidget } from "./events";

export const ASKED = ["name", "email", "phone", "topic", "question"] as const;
export type AskedName = (typeof ASKED)[number];

export interface AskedDraft {
  asks: boolean;
  required: boolean;
  label: string;
  /** Topics, one in a line. */
  options: string;
}

export type WidgetDraft = Pick<ChatWidget, "title" | "greeting" | "colour" | "position" | "scheme" | "launcher" | "form_enabled" | "intro"> & {
  asked: Record<AskedName, AskedDraft>;
  offline: ChatWidget["offline"];
};

const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export function draftOf(from: ChatWidget | null): WidgetDraft {
  const asked = Object.fromEntries(
    ASKED.map((name): [AskedName, AskedDraft] => {
      const field = from?.fields.find((each) => each.name === name);
      return [name, { asks: field !== undefined, required: field?.required ?? false, label: field?.label ?? "", options: (field?.options ?? []).join("\n") }];
    }),
  ) as Record<AskedName, AskedDraft>;
  return {
    title: from?.title ?? "", greeting: from?.greeting ?? "", colour: from?.colour ?? "", position: from?.position ?? "right", scheme: from?.scheme ?? "auto",
    launcher: from?.launcher ?? "", form_enabled: from?.form_enabled ?? false, intro: from?.intro ?? "", asked,
    offline: { ...(from?.offline ?? { enabled: false, channel_id: "", when: "away" as const, text: "" }) },
  };
}

export function fieldsOf(draft: WidgetDraft): ChatWidget["fields"] {
  return ASKED.filter((name) => draft.asked[name].asks).map((name) => {
    const { required, label, options } = draft.asked[name];
    return { name, required, label: label.trim(), options: name === "topic" ? lines(options) : [] };
  });
}

/** The hub counts what is asked; here each has its name: `fields.1.label` → `topic.label`. */
export function faultsByName(draft: WidgetDraft, faults: Readonly<Record<string, string>>): Record<string, string> {
  const names = fieldsOf(draft).map((field) => field.name);
  return Object.fromEntries(
    Object.entries(faults).map(([key, words]) => {
      const [, place, what] = /^fields\.(\d+)\.(\w+)$/u.exec(key) ?? [];
      return [place === undefined ? key : `${names[Number(place)] ?? place}.${what}`, words];
    }),
  );
}
