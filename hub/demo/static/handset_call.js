/*
 * The telephone part of the handset: one call at a time, live on the carrier (hub/demo/carrier_phones.py).
 * Nothing sounds: what would be heard is written, as captions.
 */
import { api, el, leave, state } from "./handset.js";

const PHONES = "/demo/carrier/_carrier/phones";
const $ = (id) => document.getElementById(id);
const KEYS = [["1", ""], ["2", "ABC"], ["3", "DEF"], ["4", "GHI"], ["5", "JKL"], ["6", "MNO"], ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"], ["*", ""], ["0", "+"], ["#", ""]];
const ENDED = { busy: "Busy", "no-answer": "No answer", failed: "The call could not be made", canceled: "Missed call" };
const mine = { phone: "", call: null, socket: null, retryMs: 500, closed: "", dialling: false, focus: null };

// --- the line ------------------------------------------------------------------------------------------------------------

let retryTimer = 0;

function connect() {
  clearTimeout(retryTimer);
  const old = mine.socket;
  mine.socket = null;
  leave(old);
  if (!mine.phone) return;
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}${PHONES}/${encodeURIComponent(mine.phone)}/live`);
  mine.socket = socket;
  let first = true;
  socket.onopen = () => (mine.retryMs = 500);
  socket.onmessage = (event) => {
    if (socket !== mine.socket) return;
    mine.call = JSON.parse(event.data).call;
    // What was over before this page looked is no news.
    if (first && mine.call?.state === "ended") mine.closed = mine.call.id;
    first = false;
    show();
  };
  socket.onclose = (event) => {
    if (socket !== mine.socket || event.code === 4404) return;
    retryTimer = setTimeout(connect, mine.retryMs * (0.75 + Math.random() / 2));
    mine.retryMs = Math.min(mine.retryMs * 2, 8000);
  };
}

async function ask(what, body) {
  const path = `${PHONES}/${encodeURIComponent(mine.phone)}/${what}`;
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) };
  return api(path, options);
}

// --- the screen ----------------------------------------------------------------------------------------------------------

const clock = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

function words(call) {
  if (call.state === "calling") return "Calling…";
  if (call.state === "ringing") return "Incoming call";
  if (call.state === "talking") return clock(Date.now() - Date.parse(call.talks_since));
  const lasted = call.talks_since ? ` · ${clock(Date.parse(call.ended_at) - Date.parse(call.talks_since))}` : "";
  return (!call.talks_since && ENDED[call.ended_as]) || `Call ended${lasted}`;
}

function show() {
  const call = mine.call;
  const shown = call !== null && mine.closed !== call.id;
  const screen = $("call-screen");
  const appears = shown && screen.hidden;
  screen.hidden = !shown;
  for (const id of ["thread", "compose"]) $(id).inert = shown;
  $("call").disabled = shown || mine.dialling;
  if (!shown) return;
  screen.dataset.state = call.state;
  $("call-state").textContent = words(call);
  $("call-hold").hidden = !call.held;
  $("call-mute").hidden = !call.muted;
  $("pad").hidden = call.state !== "talking";
  $("say-form").hidden = call.state !== "talking" || !call.listens.includes("speech");
  $("answer").hidden = $("decline").hidden = call.state !== "ringing";
  $("hang-up").hidden = !["calling", "talking"].includes(call.state);
  $("close-call").hidden = call.state !== "ended";
  $("pad").dataset.listens = String(call.listens.includes("dtmf"));
  showCaptions(call);
  if (appears) $(call.state === "ringing" ? "answer" : "hang-up").focus({ preventScroll: true });
  if (call.state === "ended" && document.activeElement === document.body) $("close-call").focus({ preventScroll: true });
}

function showCaptions(call) {
  const log = $("captions");
  const nearEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const lines = call.captions.map((caption) => [`${caption.at} ${caption.kind}`, caption]);
  const current = call.hearing;
  const keep = new Set(lines.map(([key]) => key));
  for (const child of [...log.children]) if (!keep.has(child.dataset.key)) child.remove();
  for (const [key, caption] of lines) {
    let line = [...log.children].find((child) => child.dataset.key === key);
    if (!line) {
      line = el("p", { class: `caption ${caption.kind}`, "data-key": key, dir: "auto" });
      if (caption.language) line.lang = caption.language;
      line.textContent = caption.kind === "say" || caption.kind === "error" ? caption.text : SOUNDS[caption.kind]?.(caption, call) ?? caption.kind;
      log.append(line);
    }
    line.classList.toggle("now", current !== null && current.kind === caption.kind && line === log.lastElementChild);
  }
  if (nearEnd) log.scrollTop = log.scrollHeight;
}

const SOUNDS = {
  music: () => "♪ Music",
  sound: () => "♪ A recording is played",
  tone: (caption) => (caption.text === "ringback" ? "It rings at the other end" : caption.text === "beep" ? "A tone: speak now" : `Tones ${caption.text}`),
  talk: () => "You are connected",
};

// --- hands ---------------------------------------------------------------------------------------------------------------

async function dial() {
  mine.dialling = true;
  show();
  try {
    mine.call = await ask("calls", { to: state.company });
  } catch (error) {
    $("problem").textContent = Object.values(error.fields ?? {})[0] ?? error.message;
    $("problem").hidden = false;
  }
  mine.dialling = false;
  show();
}

async function press(key) {
  const button = $("pad").querySelector(`[data-key="${CSS.escape(key)}"]`);
  button?.classList.add("down");
  setTimeout(() => button?.classList.remove("down"), 160);
  await ask("keys", { keys: key }).catch(() => {});
}

async function say(event) {
  event.preventDefault();
  const field = $("say");
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  await ask("words", { text }).catch(() => (field.value = text));
}

function close() {
  mine.closed = mine.call?.id ?? "";
  show();
  $("call").focus({ preventScroll: true });
}

$("pad").replaceChildren(
  ...KEYS.map(([key, letters]) =>
    el("button", { type: "button", "data-key": key, "aria-label": { "*": "Star", "#": "Hash" }[key] ?? key, onclick: () => void press(key) }, el("b", {}, key), el("small", { "aria-hidden": "true" }, letters)),
  ),
);
$("call").addEventListener("click", () => void dial());
$("hang-up").addEventListener("click", () => void ask("hang_up").catch(() => {}));
$("answer").addEventListener("click", () => void ask("answer").catch(() => {}));
$("decline").addEventListener("click", () => void ask("decline").catch(() => {}));
$("close-call").addEventListener("click", close);
$("say-form").addEventListener("submit", (event) => void say(event));
$("call-screen").addEventListener("keydown", (event) => {
  if (event.target === $("say")) return;
  if (mine.call?.state === "talking" && /^[0-9*#]$/.test(event.key)) void press(event.key);
  if (event.key === "Escape" && mine.call?.state === "ended") close();
});
addEventListener("phone", (event) => {
  mine.phone = event.detail.phone;
  mine.call = null;
  mine.closed = "";
  show();
  connect();
});
addEventListener("online", connect);
setInterval(() => mine.call && !$("call-screen").hidden && ($("call-state").textContent = words(mine.call)), 500);
if (state.phone) dispatchEvent(new CustomEvent("phone", { detail: { phone: state.phone } }));
