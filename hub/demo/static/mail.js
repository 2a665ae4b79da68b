/*
 * The mail box: one demo customer's inbox and sent mails, live from the post office (/demo/post, see
 * hub/demo/post_office_boxes.py). What others wrote is text here; their HTML is shown in a sandboxed frame only.
 */
const POST = "/demo/post/boxes";
const FILES_LIMIT_BYTES = 15 * 1024 * 1024;
const $ = (id) => document.getElementById(id);
const state = { people: [], hub: "", owner: "", folder: "inbox", letters: new Map(), unread: {}, open: null, shown: "", position: "", socket: null, retryMs: 500, answers: null, files: [], drafts: new Map() };

function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

async function api(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.message ?? "The demo does not answer."), { fields: body.fields });
  return body;
}

const box = (owner) => `${POST}/${encodeURIComponent(owner)}`;
// Georgian is written without capitals; few fonts have the ones that Unicode knows.
const capital = (letter) => (/[\u10d0-\u10ff]/.test(letter) ? letter : letter.toUpperCase());
const initials = (name) => name.split(/\s+/).slice(0, 2).map((part) => capital([...part][0] ?? "")).join("");
const first = (name) => name.split(" ")[0];
const rest = (name) => name.slice(first(name).length);
const person = () => state.people.find((someone) => someone.address === state.owner);
const tone = (address) => state.people.findIndex((someone) => someone.address === address);

// --- who ---------------------------------------------------------------------------------------------------------------

function showOwners() {
  const focused = document.activeElement?.dataset?.address;
  $("owners").replaceChildren(
    ...state.people.map((someone, index) => {
      const count = state.unread[someone.address] ?? 0;
      return el(
        "button",
        { type: "button", class: "owner", "data-address": someone.address, "aria-pressed": String(someone.address === state.owner), title: someone.address, onclick: () => become(someone.address) },
        el("span", { class: `face tone-${index}`, "aria-hidden": "true" }, initials(someone.name)),
        el("div", {}, el("strong", {}, first(someone.name), el("span", { class: "rest" }, rest(someone.name))), el("span", { class: "address" }, someone.address)),
        ...(count ? [el("span", { class: "badge", "aria-label": `${count} unread` }, String(count))] : []),
      );
    }),
  );
  if (focused) [...$("owners").children].find((one) => one.dataset.address === focused)?.focus();
}

const HABITS = {
  full: "This box is full on purpose: a mail to it is sent back a moment later, and the agent sees that.",
  away: "Somebody away on purpose: the first answer is met by an out-of-office note.",
};

function become(owner) {
  if (owner === state.owner) return;
  keepDraft();
  state.owner = owner;
  state.position = "";
  state.letters.clear();
  state.open = null;
  state.folder = "inbox";
  try {
    localStorage.setItem("hub-demo mail box", owner);
  } catch {}
  $("habit").textContent = HABITS[person().habit] ?? "";
  $("habit").hidden = !$("habit").textContent;
  showOwners();
  document.querySelector(".owner[aria-pressed=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  showList();
  showReading();
  connect();
}

// --- the line ------------------------------------------------------------------------------------------------------------

let retryTimer = 0;

function connect() {
  clearTimeout(retryTimer);
  const old = state.socket;
  state.socket = null;
  old?.close();
  const root = location.origin.replace(/^http/, "ws");
  const socket = new WebSocket(`${root}${box(state.owner)}/live?${new URLSearchParams({ since: state.position })}`);
  state.socket = socket;
  socket.onopen = () => {
    state.retryMs = 500;
    showNotice("");
  };
  socket.onmessage = (event) => {
    if (socket !== state.socket) return;
    const frame = JSON.parse(event.data);
    if (frame.whole) state.letters.clear();
    for (const letter of frame.letters) state.letters.set(letter.id, letter);
    state.position = frame.position;
    state.unread = frame.unread;
    showOwners();
    showList();
    if (state.open && state.letters.has(state.open)) showFate(state.letters.get(state.open));
    // Who has begun to write by then writes on.
    else if (frame.whole && $("compose").hidden) showReading();
  };
  socket.onclose = (event) => {
    if (socket !== state.socket) return;
    if (event.code === 4404) return showNotice(event.reason || "This box cannot be opened.");
    showNotice("The demo does not answer. Reconnecting…");
    retryTimer = setTimeout(connect, state.retryMs * (0.75 + Math.random() / 2));
    state.retryMs = Math.min(state.retryMs * 2, 8000);
  };
}

function showNotice(words) {
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

// --- the list ------------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
const when = (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock : day).format(new Date(at));
const subjectOf = (letter) => letter.subject || "(no subject)";

function nameOf(address) {
  if (address === state.hub || address.startsWith(`${state.hub.split("@")[0]}+`)) return "Sevan Coffee";
  return state.people.find((someone) => someone.address === address)?.name ?? address;
}

function showList() {
  const inFolder = [...state.letters.values()].filter((letter) => letter.folder === state.folder).sort((a, b) => b.at.localeCompare(a.at));
  const unread = state.unread[state.owner] ?? 0;
  $("inbox-count").textContent = String(unread);
  $("inbox-count").hidden = !unread;
  for (const folder of ["inbox", "sent"]) $(`tab-${folder}`).setAttribute("aria-selected", String(folder === state.folder));
  const focused = document.activeElement?.dataset?.id;
  $("letters").replaceChildren(...(inFolder.length ? inFolder.map(row) : [emptyRow()]));
  if (focused) document.querySelector(`#letters [data-id="${focused}"]`)?.focus();
}

function row(letter) {
  const isSent = letter.folder === "sent";
  const name = isSent ? `To ${nameOf(letter.to)}` : letter.author.name || letter.author.address || "(nobody)";
  const fate = { sending: letter.attempts > 1 ? "Waiting, trying again" : "Sending", failed: "Not delivered" }[letter.status];
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: isSent || letter.is_read ? "" : "unread", "data-id": letter.id, "data-testid": "mail-row", "aria-current": String(letter.id === state.open), onclick: () => open(letter.id) },
      el("span", { class: "name", dir: "auto" }, name),
      fate ? el("span", { class: letter.status === "failed" ? "fate bad" : "fate" }, fate) : el("time", { datetime: letter.at }, when(letter.at)),
      el("span", { class: "about", dir: "auto" }, subjectOf(letter), ...(letter.file_count ? [drawing("0 0 24 24", CLIP)] : [])),
      el("span", { class: "start", dir: "auto" }, letter.snippet || "(no text)"),
    ),
  );
}

function emptyRow() {
  const words =
    state.folder === "inbox"
      ? ["Nothing has come yet", "Write to the shop: the answer appears here by itself."]
      : ["Nothing written yet", "Press “New mail” to write to the shop."];
  return el("li", { class: "none" }, el("strong", {}, words[0]), words[1]);
}

function choose(folder) {
  state.folder = folder;
  showList();
}

// --- one mail --------------------------------------------------------------------------------------------------------------

async function open(id) {
  if (!$("compose").hidden) keepDraft();
  const owner = state.owner;
  state.open = id;
  showList();
  try {
    const letter = await api(`${box(owner)}/letters/${id}`);
    if (state.open !== id || state.owner !== owner) return;
    showLetter(letter);
    if (letter.folder === "inbox" && !letter.is_read) await api(`${box(owner)}/letters/${id}/read`, { method: "POST" });
  } catch (error) {
    showNotice(error.message);
  }
}

function show(what) {
  for (const id of ["nothing", "letter", "compose"]) $(id).hidden = id !== what;
  document.querySelector("main").dataset.view = what === "nothing" ? "list" : "letter";
}

function showLetter(letter) {
  show("letter");
  const isSent = letter.folder === "sent";
  $("subject").textContent = subjectOf(letter);
  const author = letter.author.name || letter.author.address;
  $("author").textContent = author;
  $("face").textContent = initials(author || "?");
  const index = tone(letter.author.address);
  $("face").className = index < 0 ? "face company" : `face tone-${index}`;
  $("to").textContent = isSent ? `to ${letter.to}` : `to ${letter.to === state.owner ? "me" : letter.to} · ${letter.author.address}`;
  $("at").textContent = whole.format(new Date(letter.at));
  $("reply").hidden = !letter.reply_to.address;
  $("reply").onclick = () => answer(letter);
  showFate(letter);
  const files = letter.parts.filter((part) => !part.is_inline);
  const path = `${box(state.owner)}/letters/${letter.id}`;
  $("files").hidden = !files.length;
  $("files").replaceChildren(
    ...files.map((part) => el("li", {}, el("a", { href: `${path}/parts/${part.number}`, download: part.name }, el("b", {}, part.name), el("small", {}, bytes(part.size_bytes))))),
  );
  $("frame").hidden = !letter.has_html;
  $("plain").hidden = letter.has_html;
  $("plain").textContent = letter.has_html ? "" : letter.text;
  if (letter.has_html && state.shown !== letter.id) $("frame").src = `${path}/html`;
  state.shown = letter.has_html ? letter.id : "";
}

function showFate(letter) {
  if ($("letter").hidden || letter.id !== state.open) return;
  const failed = letter.status === "failed";
  const words = failed ? `Not delivered. ${letter.problem ?? ""}` : letter.status === "sending" && letter.attempts > 1 ? "The hub does not take it yet; it is tried again by itself." : "";
  $("fate").textContent = words;
  $("fate").hidden = !words;
}

const bytes = (size) => (size < 1024 ? `${size} B` : size < 1024 * 1024 ? `${Math.round(size / 1024)} kB` : `${(size / 1024 / 1024).toFixed(1)} MB`);

function showReading() {
  const hasMails = state.letters.size > 0;
  const opener = person()?.opener;
  $("nothing").replaceChildren(
    drawing("0 0 76 60", ...ENVELOPE),
    el("strong", {}, hasMails ? "Choose a mail to read it" : "This box is empty"),
    hasMails ? "or write a new one. New mails appear by themselves." : "Write to the shop; an agent’s answer appears here by itself.",
    el("br"),
    el("button", { type: "button", onclick: () => write() }, opener?.subject ? `Write about “${opener.subject}”` : "Write a mail"),
  );
  show("nothing");
}

const CLIP = "M20 11.5l-8.3 8.3a5 5 0 0 1-7.1-7.1L13 4.4a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.3a1.7 1.7 0 0 1-2.4-2.4l7.7-7.7";
const ENVELOPE = ["M12 8h52a6 6 0 0 1 6 6v32a6 6 0 0 1-6 6H12a6 6 0 0 1-6-6V14a6 6 0 0 1 6-6z", "M8 12l26 21a6 6 0 0 0 8 0l26-21"];

function drawing(size, ...shapes) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", size);
  svg.setAttribute("aria-hidden", "true");
  for (const d of shapes) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

// --- writing ---------------------------------------------------------------------------------------------------------------

/** What was begun and not sent is there again for the same person and the same mail. */
function keepDraft() {
  if ($("compose").hidden) return;
  state.drafts.set(draftKey(), { to: $("compose-to").value, subject: $("compose-subject").value, text: $("compose-text").value, files: state.files });
}

const draftKey = () => `${state.owner} ${state.answers?.id ?? ""}`;

function compose(title, fresh) {
  const draft = state.drafts.get(draftKey()) ?? fresh;
  $("compose-title").textContent = title;
  $("compose-to").value = draft.to;
  $("compose-subject").value = draft.subject;
  $("compose-text").value = draft.text;
  $("quote-note").hidden = !state.answers;
  setFiles(draft.files);
  problem("");
  show("compose");
  showList();
}

function write() {
  if (!$("compose").hidden) keepDraft();
  state.answers = null;
  state.open = null;
  const isFirst = ![...state.letters.values()].some((letter) => letter.folder === "sent");
  const { subject, text } = person().opener;
  compose("New mail", { to: state.hub, subject: isFirst ? subject : "", text: isFirst ? text : "", files: [] });
  (isFirst ? $("compose-text") : $("compose-subject")).focus();
}

function answer(letter) {
  state.answers = letter;
  const subject = /^re\s*:/i.test(letter.subject) ? letter.subject : `Re: ${letter.subject}`;
  compose("Reply", { to: letter.folder === "sent" ? letter.to : letter.reply_to.address, subject, text: "", files: [] });
  $("compose-text").focus();
}

function discard() {
  state.drafts.delete(draftKey());
  leave();
}

/** Back to what was there before the mail was written. */
function leave() {
  $("compose").hidden = true;
  const answered = state.answers;
  state.answers = null;
  if (answered && state.letters.has(answered.id)) void open(answered.id);
  else showReading();
}

function problem(words) {
  $("problem").textContent = words;
  $("problem").hidden = !words;
}

function setFiles(files) {
  state.files = files;
  $("compose-files").hidden = !files.length;
  $("compose-files").replaceChildren(
    ...files.map((file) =>
      el("li", {}, el("span", {}, el("b", {}, file.name || "picture"), el("small", {}, bytes(file.size)), el("button", { type: "button", "aria-label": `Remove ${file.name}`, onclick: () => setFiles(state.files.filter((other) => other !== file)) }, "×"))),
    ),
  );
}

function addFiles(files) {
  const all = [...state.files, ...files].slice(0, 10);
  const fits = all.reduce((sum, file) => sum + file.size, 0) <= FILES_LIMIT_BYTES;
  problem(fits ? "" : "The files may have at most 15 MB together.");
  if (fits) setFiles(all);
}

async function send() {
  if ($("send").disabled) return;
  const owner = state.owner;
  const key = draftKey();
  const wanted = { to: $("compose-to").value, subject: $("compose-subject").value, text: $("compose-text").value };
  if (state.answers) wanted.answers = state.answers.id;
  let options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) };
  if (state.files.length) {
    const body = new FormData();
    for (const [name, value] of Object.entries(wanted)) body.append(name, value);
    for (const file of state.files) body.append("file", file, file.name || "picture");
    options = { method: "POST", body };
  }
  problem("");
  $("send").disabled = true;
  try {
    const letter = await api(`${box(owner)}/letters`, options);
    state.drafts.delete(key);
    if (state.owner !== owner || draftKey() !== key) return;
    state.letters.set(letter.id, letter);
    state.folder = "sent";
    $("compose").hidden = true;
    state.answers = null;
    void open(letter.id);
  } catch (error) {
    problem(Object.values(error.fields ?? {})[0] ?? error.message);
  } finally {
    $("send").disabled = false;
  }
}

// --- start -------------------------------------------------------------------------------------------------------------------

$("tab-inbox").addEventListener("click", () => choose("inbox"));
$("tab-sent").addEventListener("click", () => choose("sent"));
document.querySelector(".tabs").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  choose(state.folder === "inbox" ? "sent" : "inbox");
  $(`tab-${state.folder}`).focus();
});
$("new").addEventListener("click", write);
$("back").addEventListener("click", () => {
  state.open = null;
  showList();
  showReading();
});
$("discard").addEventListener("click", discard);
$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  void send();
});
$("compose").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void send();
});
$("attach").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  addFiles($("file").files);
  $("file").value = "";
});
$("compose").addEventListener("dragover", (event) => event.preventDefault());
$("compose").addEventListener("drop", (event) => {
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});
$("compose-text").addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  addFiles(event.clipboardData.files);
});
addEventListener("online", () => state.owner && connect());

const boxes = await api(POST);
state.people = boxes.people;
state.hub = boxes.hub;
state.unread = Object.fromEntries(boxes.people.map((someone) => [someone.address, someone.unread]));
$("hub-address").textContent = boxes.hub;
let last = null;
try {
  last = localStorage.getItem("hub-demo mail box");
} catch {}
const wanted = decodeURIComponent(location.hash.slice(1)) || last;
become(state.people.some((someone) => someone.address === wanted) ? wanted : state.people[0].address);
$("new").disabled = false;
