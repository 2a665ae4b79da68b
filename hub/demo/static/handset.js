/*
 * The handset: one demo customer's phone, live on the carrier (/demo/carrier/_carrier, see hub/demo/carrier_handset.py).
 * What is typed is text, never markup. A text that could not be handed to the carrier stays in the field.
 */
const CARRIER = "/demo/carrier";
const $ = (id) => document.getElementById(id);
export const state = { people: [], company: "", phone: "", position: "", messages: new Map(), socket: null, retryMs: 500, pictures: [] };

export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export async function api(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.message ?? "The demo does not answer."), { fields: body.fields });
  return body;
}

// --- who ---------------------------------------------------------------------------------------------------------------

// Georgian is written without capitals; few fonts have the ones that Unicode knows.
const capital = (letter) => (/[\u10d0-\u10ff]/.test(letter) ? letter : letter.toUpperCase());
const initials = (name) => name.split(/\s+/).slice(0, 2).map((part) => capital([...part][0] ?? "")).join("");
const GROUPS = [/^(\+374)(\d{2})(\d{3})(\d+)$/, /^(\+995)(\d{3})(\d{3})(\d+)$/, /^(\+994)(\d{2})(\d{3})(\d+)$/, /^(\+380)(\d{2})(\d{3})(\d+)$/, /^(\+44)(\d{4})(\d{3})(\d+)$/, /^(\+1)(\d{3})(\d{3})(\d+)$/];
const spaced = (number) => GROUPS.map((group) => group.exec(number)).find(Boolean)?.slice(1).join(" ") ?? number;
const compact = (number) => number.replace(/[\s().-]/g, "");

function showPeople() {
  $("people").replaceChildren(
    ...state.people.map((person, index) =>
      el(
        "button",
        {
          type: "button",
          class: "person",
          "aria-pressed": String(person.phone === state.phone),
          title: `${person.name}, ${spaced(person.phone)}`,
          onclick: () => become(person.phone),
        },
        el("span", { class: `face tone-${index % 6}`, "aria-hidden": "true" }, initials(person.name)),
        el("span", {}, person.name.split(" ")[0]),
      ),
    ),
  );
}

/** Switches to another phone; false if the number is none. */
function become(phone) {
  const number = compact(phone);
  const good = /^\+[1-9]\d{6,14}$/.test(number);
  $("number").setAttribute("aria-invalid", String(!good));
  if (!good) return false;
  $("number").value = spaced(number);
  if (number === state.phone) return true;
  state.phone = number;
  state.position = "";
  state.messages.clear();
  try {
    localStorage.setItem("hub-demo phone", number);
  } catch {}
  showPeople();
  showThread();
  connect();
  // handset_call.js holds the same telephone.
  dispatchEvent(new CustomEvent("phone", { detail: { phone: number, company: state.company } }));
  return true;
}

// --- the line ------------------------------------------------------------------------------------------------------------

let retryTimer = 0;

function connect() {
  clearTimeout(retryTimer);
  const old = state.socket;
  state.socket = null;
  leave(old);
  const phone = state.phone;
  const root = location.origin.replace(/^http/, "ws");
  const query = new URLSearchParams({ number: state.company, since: state.position });
  const socket = new WebSocket(`${root}${CARRIER}/_carrier/handsets/${encodeURIComponent(phone)}/live?${query}`);
  state.socket = socket;
  socket.onopen = () => {
    state.retryMs = 500;
    showNotice("");
  };
  socket.onmessage = (event) => {
    if (socket !== state.socket) return;
    const frame = JSON.parse(event.data);
    if (frame.whole) state.messages.clear();
    for (const message of frame.messages) state.messages.set(message.id, message);
    state.position = frame.position;
    state.optedOut = frame.opted_out;
    showThread();
  };
  socket.onclose = (event) => {
    if (socket !== state.socket) return;
    if (event.code === 4404) return showNotice(event.reason || "This number cannot be used.");
    showNotice("No signal. Reconnecting…");
    retryTimer = setTimeout(connect, state.retryMs * (0.75 + Math.random() / 2));
    state.retryMs = Math.min(state.retryMs * 2, 8000);
  };
}

/** Closes a line once it stands: browsers complain of one that is closed before. */
export function leave(socket) {
  if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket?.close();
}

function showNotice(words) {
  $("notice").textContent = words || (state.optedOut ? "You have opted out. Text START to hear from them again." : "");
  $("notice").hidden = !$("notice").textContent;
}

// --- the thread --------------------------------------------------------------------------------------------------------

const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const elements = new Map();

function showThread() {
  const thread = $("thread");
  const nearEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 80;
  const messages = [...state.messages.values()].sort((a, b) => a.at.localeCompare(b.at));
  const wanted = [];
  let day = "";
  messages.forEach((message, index) => {
    const itsDay = new Date(message.at).toDateString();
    if (itsDay !== day) wanted.push(dayLine(itsDay, message.at));
    const before = messages[index - 1];
    const after = messages[index + 1];
    const first = itsDay !== day || !before || before.direction !== message.direction || apart(before, message);
    const last = !after || after.direction !== message.direction || apart(message, after);
    day = itsDay;
    wanted.push(messageElement(message, first, last));
  });
  if (!wanted.length) {
    const person = state.people.find((someone) => someone.phone === state.phone);
    const opener = person?.opener ? ` Try “${person.opener}”` : "";
    wanted.push(el("p", { class: "empty" }, `No messages yet.${opener}`));
  }
  const keep = new Set(wanted);
  for (const child of [...thread.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((element, index) => {
    if (thread.children[index] !== element) thread.insertBefore(element, thread.children[index] ?? null);
  });
  if (nearEnd) thread.scrollTop = thread.scrollHeight;
  if (state.socket?.readyState === WebSocket.OPEN) showNotice("");
}

const apart = (a, b) => Date.parse(b.at) - Date.parse(a.at) > 5 * 60_000;

function dayLine(day, at) {
  const key = `day ${day}`;
  if (!elements.has(key)) {
    const words = day === new Date().toDateString() ? "Today" : date.format(new Date(at));
    elements.set(key, el("div", { class: "day" }, words));
  }
  return elements.get(key);
}

function messageElement(message, first, last) {
  const element = elements.get(message.id) ?? el("div", { "data-testid": "handset-message" });
  elements.set(message.id, element);
  const shape = `${message.revision} ${first} ${last}`;
  if (element.dataset.shape === shape) return element;
  element.dataset.shape = shape;
  element.dataset.direction = message.direction;
  element.dataset.status = message.status;
  element.className = ["message", first && "first", last && "last"].filter(Boolean).join(" ");
  element.replaceChildren();
  for (const medium of message.media) {
    const image = el("img", { src: `${CARRIER}/${medium.url}`, alt: medium.name, loading: "lazy" });
    image.addEventListener("load", () => ($("thread").scrollTop = $("thread").scrollHeight));
    element.append(image);
  }
  if (message.text) {
    const bubble = el("div", { class: "bubble", dir: "auto" });
    bubble.textContent = message.text;
    element.append(bubble);
  }
  element.append(metaLine(message));
  return element;
}

function metaLine(message) {
  const meta = el("div", { class: "meta" });
  const at = time.format(new Date(message.at));
  if (message.direction === "received") meta.append(at);
  else if (message.status === "failed") meta.append("Not delivered");
  else if (message.status === "delivered") meta.append(at, icon("m5 12.5 4.5 4.5L19 7.5"), "Delivered");
  else meta.append(message.attempts > 0 ? "Waiting for the network, trying again" : "Sending");
  return meta;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

// --- writing -------------------------------------------------------------------------------------------------------------

const GSM = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
const GSM_TWO = new Set("^{}\\[~]|€\f");

/** As hub.demo.twilio_wire.segments counts: how many parts, and how many units are left in the last. */
function segments(text) {
  const characters = [...text];
  const plain = characters.every((c) => GSM.has(c) || GSM_TWO.has(c));
  const units = plain ? characters.reduce((sum, c) => sum + (GSM_TWO.has(c) ? 2 : 1), 0) : text.length;
  const [alone, joined] = plain ? [160, 153] : [70, 67];
  const parts = units <= alone ? 1 : Math.ceil(units / joined);
  return { parts, left: parts === 1 ? alone - units : parts * joined - units };
}

function typed() {
  const field = $("text");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
  const { parts, left } = segments(field.value);
  $("count").textContent = field.value ? `${left} / ${parts} ${parts === 1 ? "segment" : "segments"}` : "";
  $("send").disabled = !field.value.trim() && !state.pictures.length;
}

function problem(words) {
  $("problem").textContent = words;
  $("problem").hidden = !words;
}

async function send() {
  const field = $("text");
  if ($("send").disabled) return;
  if (!become($("number").value)) return $("number").focus();
  const text = field.value;
  const pictures = state.pictures;
  const path = `${CARRIER}/_carrier/handsets/${encodeURIComponent(state.phone)}/messages`;
  let body;
  if (pictures.length) {
    body = new FormData();
    body.append("to", state.company);
    body.append("text", text);
    for (const picture of pictures) body.append("file", picture.file, picture.file.name || "picture");
  }
  field.value = "";
  setPictures([]);
  problem("");
  typed();
  try {
    const json = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ to: state.company, text }) };
    const message = await api(path, body ? { method: "POST", body } : json);
    if (!state.messages.has(message.id)) state.messages.set(message.id, message);
    showThread();
    $("thread").scrollTop = $("thread").scrollHeight;
    for (const picture of pictures) URL.revokeObjectURL(picture.url);
  } catch (error) {
    if (!field.value) field.value = text;
    setPictures(pictures);
    typed();
    problem(Object.values(error.fields ?? {})[0] ?? error.message);
  }
}

function setPictures(pictures) {
  state.pictures = pictures;
  $("previews").hidden = !pictures.length;
  $("previews").replaceChildren(
    ...pictures.map((picture) =>
      el(
        "div",
        { class: "preview" },
        el("img", { src: picture.url, alt: picture.file.name }),
        el("button", { type: "button", "aria-label": "Remove the picture", onclick: () => setPictures(state.pictures.filter((other) => other !== picture)) }, "×"),
      ),
    ),
  );
  typed();
}

function addFiles(files) {
  const fresh = [...files].filter((file) => /^image\/(jpeg|png|gif|webp)$/.test(file.type) && file.size <= 5 * 1024 * 1024);
  problem(fresh.length < files.length ? "Only pictures of at most 5 MB can be sent." : "");
  setPictures([...state.pictures, ...fresh.map((file) => ({ file, url: URL.createObjectURL(file) }))].slice(0, 10));
}

// --- the guide -----------------------------------------------------------------------------------------------------------

function showLogins(logins, password) {
  $("password").textContent = password;
  $("logins").replaceChildren(
    ...logins.map((login) => {
      const copy = el("button", { type: "button", "aria-label": `Copy ${login.email}` }, "Copy");
      copy.addEventListener("click", async () => {
        await navigator.clipboard?.writeText(login.email);
        copy.textContent = "Copied";
        setTimeout(() => (copy.textContent = "Copy"), 1500);
      });
      return el("tr", {}, el("td", {}, login.role), el("td", {}, login.email), el("td", {}, copy));
    }),
  );
}

function showNow(now) {
  const { robots, recent } = now;
  const toggle = $("robots");
  toggle.disabled = !robots.present;
  toggle.checked = robots.running;
  $("robots-state").textContent = !robots.present ? "none" : robots.running ? "working" : "paused";
  $("robots-words").textContent = !robots.present
    ? "This demo was started with --quiet: every customer and every agent is a person."
    : "Robot customers write and call now and then; agent2, agent3 and agent4 answer, you too. Pause them and everything rings at you.";
  $("recent").replaceChildren(
    ...recent.map((line) => el("li", {}, el("b", {}, line.who), el("span", { dir: "auto" }, line.text), el("time", {}, time.format(new Date(line.at))))),
  );
}

async function refreshNow() {
  if (document.visibilityState !== "visible") return;
  try {
    showNow(await api("/demo/now"));
  } catch {}
}

async function setRobots() {
  const running = $("robots").checked;
  try {
    await api("/demo/robots", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ running }) });
  } catch {}
  await refreshNow();
}

// --- start ---------------------------------------------------------------------------------------------------------------

const tick = () => ($("clock").textContent = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" }).format(new Date()));

$("number").addEventListener("change", () => become($("number").value));
$("number").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && become($("number").value)) $("text").focus();
});
$("text").addEventListener("input", typed);
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  void send();
});
$("text").addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  addFiles(event.clipboardData.files);
});
$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  void send();
});
$("attach").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  addFiles($("file").files);
  $("file").value = "";
});
document.querySelector(".phone").addEventListener("dragover", (event) => event.preventDefault());
document.querySelector(".phone").addEventListener("drop", (event) => {
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});
$("robots").addEventListener("change", () => void setRobots());
addEventListener("online", () => state.phone && connect());
document.addEventListener("visibilitychange", () => void refreshNow());

tick();
setInterval(tick, 10_000);
setInterval(() => void refreshNow(), 3_000);
const about = await api("/demo/about");
state.people = about.people;
state.company = about.number;
$("company-number").textContent = spaced(about.number);
showLogins(about.logins, about.password);
let last = null;
try {
  last = localStorage.getItem("hub-demo phone");
} catch {}
become(location.hash.slice(1) || last || state.people[0].phone) || become(state.people[0].phone);
typed();
void refreshNow();
