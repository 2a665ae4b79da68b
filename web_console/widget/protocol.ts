/*
 * What the widget and hub/web/chat_socket.py say to each other. Frames are JSON text; unknown types are ignored, so that
 * a newer hub may say more.
 *
 *   POST /chat/{channel}/visit         {visitor?, identity?}            → Visit, and in it the visitor's signed token
 *   WS   /chat/{channel}?since=ENTRY   the token as a subprotocol       → history, then whatever happens
 *   POST /chat/{channel}/attachments   multipart file, x-hub-visitor    → Attachment
 *   POST /chat/{channel}/offline       {client_id, text, form, language} → {address}
 */

export interface Visit {
  title: string;
  greeting: string;
  accent: string | null;
  /** Somebody is there to answer. */
  online: boolean;
  text_limit: number | null;
  attachment_limit_bytes: number | null;
  visitor: { name?: string | null; token: string; anonymous: string };
  /** What came of the page's word that somebody is signed in; null: it gave none. */
  identity: { state: "known" } | { state: "refused"; code: string; message: string } | null;
  widget: { position: "right" | "left"; scheme: "auto" | "light" | "dark"; launcher: string };
  /** What is asked before a request; `is_due`: the next message begins one. */
  form: { intro: string; fields: Asked[]; is_due: boolean } | null;
  /** What stands in the chat's place while nobody is there. */
  offline: { text: string; fields: Asked[]; is_due: boolean } | null;
  opens_at: string | null;
  /** How the visitor may call from the page; null: not at all. */
  calls: { title: string; ice_servers: RTCIceServer[] } | null;
}

export interface Asked {
  name: "name" | "email" | "phone" | "topic" | "question";
  required: boolean;
  label: string;
  options: readonly string[];
}

/** What a form was answered, by the fields' names. */
export type Answers = Record<string, string>;

export interface Attachment {
  id: number;
  name: string;
  media_type: string;
  size_bytes: number | null;
  url: string;
}

export interface Entry {
  id: number;
  /** "in" is the visitor's own, "out" the company's. */
  direction: "in" | "out";
  author: string | { name: string };
  text: string;
  at: string;
  attachments: Attachment[];
  client_id?: string | null;
  delivery?: string | null;
  /** The entry asks for a score. */
  survey?: Survey;
}

/** csat and ces go from 1 to 5, nps from 0 to 10; `low` and `high` say what the ends mean. */
export interface Survey {
  id: number;
  kind: "csat" | "nps" | "ces";
  low: string;
  high: string;
  expires_at: string;
  answered: boolean;
}

export interface Details {
  name: string;
  phone: string;
  email: string;
}

/** Where a waiting visitor stands. `wait_s` is rounded for reading; both are null where they are not told. */
export interface Place {
  position: number | null;
  wait_s: number | null;
  /** Closed until then. */
  opens_at: string | null;
  /** "Call me back instead" may be asked for. */
  offers_callback: boolean;
  callback: { address: string | null; state: "waiting" | "calling"; again_at: string | null } | null;
}

export type ServerFrame =
  | { type: "history"; entries: Entry[]; more: boolean }
  | { type: "entry"; entry: Entry }
  | { type: "ack"; client_id: string; entry_id: number; at: string }
  | { type: "typing"; name: string }
  | { type: "agent"; name: string | null }
  | { type: "state"; waiting: boolean; resolved: boolean }
  | { type: "place"; place: Place | null }
  | { type: "error"; code: string; message: string; client_id?: string | null; survey_id?: number; fields?: Record<string, string> }
  | { type: "scored"; survey_id: number; score: number }
  | { type: "pong" };

export type ClientFrame =
  | { type: "message"; client_id: string; text: string; attachment_ids: number[]; form?: Answers }
  | { type: "received"; through: number }
  | { type: "read"; through: number }
  | { type: "typing" }
  | ({ type: "identify" } & Details)
  | { type: "callback"; phone: string }
  | { type: "cancel_callback" }
  | { type: "score"; survey_id: number; score: number; comment?: string }
  | { type: "ping" };

/** The frame a text holds, or null if it is none. */
export function parseFrame(text: unknown): ServerFrame | null {
  if (typeof text !== "string") return null;
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}

export function authorName(entry: Entry): string {
  return typeof entry.author === "string" ? entry.author : entry.author.name;
}
