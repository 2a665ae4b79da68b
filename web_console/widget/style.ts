/*
 * The widget's looks, in its shadow tree alone: a constructable style sheet, so a page's strict style-src needs no
 * exception. `--accent` and `--on-accent` are set on the host from the channel's settings.
 */
import { readable, textOn } from "./contrast";

const DARK = `
  --paper: #171b1a; --soft: #222826; --ink: #e9eeec; --quiet: #9aa6a2; --rule: #2c3431; --bad: #f97066; --link: var(--link-dark, #5fb7ae);
  --notice: #3a2c0c; --on-notice: #f8d68a;
  --shadow: 0 0 0 1px rgb(255 255 255 / .06), 0 16px 48px -8px rgb(0 0 0 / .6); color-scheme: dark;`;
const CSS = `
:host {
  --accent: #0f766e; --on-accent: #fff;
  --paper: #fff; --soft: #f4f5f4; --ink: #1b1f1e; --quiet: #5f6a67; --rule: #e4e7e5; --bad: #b42318; --link: var(--link-light, #0f766e);
  --notice: #fef6e7; --on-notice: #7a4a00;
  --shadow: 0 1px 2px rgb(16 24 22 / .06), 0 12px 40px -8px rgb(16 24 22 / .22);
  all: initial; position: fixed; z-index: 2147483000; inset: auto 0 0 auto;
  font: 15px/1.45 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Armenian", "Noto Sans Georgian", sans-serif;
  color: var(--ink); color-scheme: light; -webkit-text-size-adjust: 100%;
}
@media (prefers-color-scheme: dark) { :host(:not([scheme=light])) { ${DARK} } }
:host([scheme=dark]) { ${DARK} }
:host([hidden]) { display: none }
*, *::before, *::after { box-sizing: border-box }
button, input, textarea { font: inherit; color: inherit; margin: 0 }
button { background: none; border: 0; padding: 0; cursor: pointer; -webkit-tap-highlight-color: transparent }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; flex: none }
[hidden] { display: none !important }

.launcher {
  position: fixed; right: max(20px, env(safe-area-inset-right)); bottom: max(20px, env(safe-area-inset-bottom));
  width: 56px; height: 56px; border-radius: 50%; display: grid; place-items: center;
  background: var(--accent); color: var(--on-accent); box-shadow: var(--shadow); transition: transform .16s ease;
}
.launcher.worded { width: auto; max-width: calc(100vw - 40px); border-radius: 28px; padding: 0 22px 0 18px; display: flex; align-items: center; gap: 10px; font-weight: 650 }
.launcher .word { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
:host([side=left]) .launcher, :host([side=left]) .panel { right: auto; left: max(20px, env(safe-area-inset-left)); transform-origin: bottom left }
.launcher:hover { transform: translateY(-2px) }
.launcher svg { width: 26px; height: 26px }
:host([calling]) .launcher { background: #15803d; color: #fff }
.badge {
  position: absolute; top: -3px; right: -3px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px;
  background: #d92d20; color: #fff; font-size: 12px; font-weight: 650; line-height: 22px; text-align: center;
  box-shadow: 0 0 0 2px var(--paper);
}
.panel {
  position: fixed; right: max(20px, env(safe-area-inset-right)); bottom: max(20px, env(safe-area-inset-bottom));
  width: 384px; height: min(640px, calc(100vh - 40px)); display: flex; flex-direction: column; overflow: hidden;
  background: var(--paper); border-radius: 18px; box-shadow: var(--shadow);
  transform-origin: bottom right; animation: rise .18s cubic-bezier(.2, .8, .3, 1);
}
@keyframes rise { from { opacity: 0; transform: translateY(12px) scale(.98) } }

header { display: flex; align-items: center; gap: 12px; padding: 14px 10px 14px 18px; background: var(--accent); color: var(--on-accent) }
.avatar {
  width: 38px; height: 38px; border-radius: 50%; display: grid; place-items: center; flex: none; position: relative;
  box-shadow: inset 0 0 0 1.5px color-mix(in srgb, var(--on-accent) 35%, transparent); font-weight: 650; letter-spacing: .02em;
}
.avatar::after {
  content: ""; position: absolute; right: -1px; bottom: -1px; width: 11px; height: 11px; border-radius: 50%;
  background: #98a29f; border: 2px solid var(--accent);
}
.avatar.here::after { background: #4ade80 }
.who { flex: 1; min-width: 0 }
.title { font-weight: 650; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.sub { font-size: 12.5px; line-height: 1.3 }
.icon { width: 36px; height: 36px; border-radius: 10px; display: grid; place-items: center; flex: none }
header .icon:hover, header .icon[aria-pressed=true], header .icon[aria-expanded=true] { background: color-mix(in srgb, var(--on-accent) 16%, transparent) }
header :focus-visible { outline-color: var(--on-accent); outline-offset: -2px }
.line { padding: 7px 18px; font-size: 13px; background: var(--notice); color: var(--on-notice); display: flex; gap: 8px; align-items: center }
.line::before { content: ""; width: 12px; height: 12px; border-radius: 50%; border: 2px solid currentColor; border-right-color: transparent; animation: turn 1s linear infinite; flex: none }
.line.still::before { display: none }
@keyframes turn { to { transform: rotate(1turn) } }

.main { flex: 1; min-height: 0; display: flex; flex-direction: column }
.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px 16px 6px; display: flex; flex-direction: column; scrollbar-width: thin }
.log > :first-child { margin-top: auto }
.day, .hint { align-self: center; text-align: center; font-size: 12px; color: var(--quiet); margin: 12px 0 8px; max-width: 88% }
.row { display: flex; flex-direction: column; align-items: flex-start; margin-top: 2px; max-width: 84% }
.row.first { margin-top: 12px }
.row.in { align-self: flex-end; align-items: flex-end }
.name { font-size: 12px; color: var(--quiet); margin: 0 0 3px 12px }
.bubble { padding: 8px 13px; border-radius: 18px; background: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; border-bottom-left-radius: 6px }
.in .bubble { background: var(--accent); color: var(--on-accent); border-bottom-left-radius: 18px; border-bottom-right-radius: 6px }
.bubble a { color: inherit; text-decoration: underline; text-underline-offset: 2px }
.row.unsent .bubble { background: none; color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--rule) }
.picture { display: block; margin-top: 2px; border-radius: 14px; overflow: hidden; border: 1px solid var(--rule); background: var(--soft); line-height: 0 }
.picture img { display: block; max-width: 220px; max-height: 240px; min-width: 60px; min-height: 40px; object-fit: cover }
.file { display: inline-flex; gap: 8px; margin-top: 2px; padding: 8px 12px; border-radius: 12px; border: 1px solid var(--rule); color: inherit; text-decoration: none; overflow-wrap: anywhere }
.meta { display: flex; align-items: center; gap: 5px; font-size: 11px; color: var(--quiet); margin: 2px 4px 0; font-variant-numeric: tabular-nums }
.meta svg { width: 13px; height: 13px; stroke-width: 2.2 }
.meta .bad { color: var(--bad) }
.meta button { color: var(--link); text-decoration: underline; text-underline-offset: 2px; padding: 4px 2px }
.row:not(.last):not(.failed):not(.unsent) .meta { display: none }
.survey { display: grid; gap: 6px; width: 100%; margin-top: 6px; font-size: 13.5px }
.survey .scale { display: grid; gap: 6px; grid-template-columns: repeat(5, minmax(44px, 1fr)) }
.survey .scale.of11 { grid-template-columns: repeat(6, minmax(40px, 1fr)) }
.survey .scale button { min-height: 44px; border-radius: 12px; border: 1.5px solid var(--quiet); background: var(--paper); font-weight: 650; font-variant-numeric: tabular-nums }
.survey .scale button[aria-pressed=false]:hover:not(:disabled) { background: var(--soft) }
.survey .scale button[aria-pressed=true] { background: var(--accent); color: var(--on-accent); border-color: var(--link); box-shadow: 0 0 0 1.5px var(--link); text-decoration: underline; text-underline-offset: 3px }
.survey .scale button:disabled { cursor: default }
.survey .scale button[aria-pressed=false]:disabled { opacity: .55 }
.survey .ends { display: flex; justify-content: space-between; gap: 12px; color: var(--quiet); font-size: 12px }
.survey .ends span:last-child { text-align: right }
.survey .said { font-weight: 550 }
.survey .words { display: grid; gap: 6px; justify-items: start }
.survey .words textarea { width: 100%; border-radius: 12px }
.dots { display: inline-flex; gap: 4px; padding: 12px 14px; align-self: flex-start; margin-top: 10px; border-radius: 18px 18px 18px 6px; background: var(--soft) }
.dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--quiet); animation: bob 1.2s infinite }
.dots i:nth-child(2) { animation-delay: .15s } .dots i:nth-child(3) { animation-delay: .3s }
@keyframes bob { 0%, 60%, 100% { opacity: .35; transform: none } 30% { opacity: 1; transform: translateY(-3px) } }

.place { padding: 10px 16px; border-top: 1px solid var(--rule); background: var(--soft); font-size: 13.5px; display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px }
.place .said { flex: 1 1 55% }
.place strong { font-weight: 600 }
.place .link { display: inline-flex; align-items: center; gap: 6px; min-height: 32px; color: var(--link); font-weight: 550; text-decoration: underline; text-underline-offset: 2px }
.place .link svg { width: 16px; height: 16px }
.place form { flex: 1 1 100%; padding: 6px 0 2px; gap: 8px; overflow: visible }
.place form p { margin: 0 }

.call { padding: 10px 12px 10px 16px; border-top: 1px solid var(--rule); background: color-mix(in srgb, var(--accent) 9%, var(--paper)); font-size: 14px; display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px }
.call .said { flex: 1 1 50%; display: grid; gap: 1px; min-width: 0 }
.call strong { font-weight: 600 }
.call .said span { color: var(--quiet); font-size: 13px; font-variant-numeric: tabular-nums }
.call .controls { display: flex; gap: 6px }
.call .icon { width: 40px; height: 40px; border-radius: 50%; background: var(--paper); border: 1px solid var(--rule) }
.call .icon[aria-pressed=true], .call .icon[aria-expanded=true] { background: var(--ink); color: var(--paper) }
.call .icon:last-child { background: var(--accent); color: var(--on-accent); border-color: transparent }
.call .icon.end { background: #c4320a; color: #fff }
.call .pad { flex: 1 1 100%; display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; padding-top: 4px }
.call .pad button { min-height: 44px; border-radius: 12px; background: var(--paper); border: 1px solid var(--rule); font-size: 18px; font-weight: 550 }
.call .pad button:active { background: var(--soft) }

.composer { padding: 8px 10px max(10px, env(safe-area-inset-bottom)); border-top: 1px solid var(--rule) }
.chips { display: flex; gap: 8px; flex-wrap: wrap; padding: 2px 4px 8px }
.chip { position: relative; width: 64px; height: 64px; border-radius: 12px; border: 1px solid var(--rule); overflow: hidden; background: var(--soft) }
.chip img { width: 100%; height: 100%; object-fit: cover; display: block }
.chip.busy img { opacity: .4 }
.chip.bad { border-color: var(--bad) }
.chip button { position: absolute; top: 3px; right: 3px; width: 22px; height: 22px; border-radius: 50%; background: rgb(0 0 0 / .62); color: #fff; display: grid; place-items: center }
.chip button svg { width: 12px; height: 12px; stroke-width: 2.6 }
.problem { font-size: 12.5px; color: var(--bad); padding: 0 6px 6px }
.write { display: flex; align-items: flex-end; gap: 6px }
textarea { flex: 1; min-width: 0; resize: none; border: 1px solid var(--rule); border-radius: 19px; background: none; padding: 7px 14px; max-height: 132px; line-height: 1.45; font-size: 15px; scrollbar-width: thin }
textarea:focus { outline: 2px solid var(--link); outline-offset: -1px }
textarea::placeholder { color: var(--quiet); opacity: 1 }
.composer .icon { color: var(--quiet) }
.composer .icon:hover { background: var(--soft); color: var(--ink) }
.composer .send { background: var(--accent); color: var(--on-accent); border-radius: 50% }
.composer .send:hover { background: var(--accent); color: var(--on-accent) }
.composer .send:disabled { background: var(--soft); color: var(--quiet); cursor: default }

form { flex: 1; padding: 20px 18px; overflow-y: auto; display: flex; flex-direction: column; gap: 14px }
form h2 { font-size: 17px; font-weight: 650; margin: 0 }
form p { margin: -8px 0 0; color: var(--quiet); font-size: 13.5px }
form label { display: grid; gap: 5px; font-size: 13px; font-weight: 550 }
form small { font-weight: 400; color: var(--quiet) }
form input, form select, form textarea { border: 1px solid var(--quiet); background: var(--paper); border-radius: 10px; padding: 10px 12px; font-size: 15px; font-weight: 400; width: 100% }
form textarea { max-height: none; resize: vertical }
form select {
  appearance: none; cursor: pointer; color: inherit; padding-inline-end: 36px; background-repeat: no-repeat; background-size: 6px 6px;
  background-image: linear-gradient(45deg, transparent 50%, currentColor 50%), linear-gradient(135deg, currentColor 50%, transparent 50%);
  background-position: right 18px center, right 12px center;
}
form input:focus, form select:focus, form textarea:focus { outline: 2px solid var(--link); outline-offset: -1px; border-color: transparent }
form [aria-invalid] { border-color: var(--bad) }
form .bad { font-weight: 400; color: var(--bad); font-size: 12.5px }
form .buttons { display: flex; gap: 10px; margin-top: 4px }
.save, form .cancel { padding: 10px 18px; border-radius: 10px; font-weight: 600 }
.save { background: var(--accent); color: var(--on-accent) }
form .save:disabled { opacity: .6; cursor: default }
form p.bad { margin: 0; color: var(--bad) }
.begin { display: grid; justify-items: center; gap: 8px; padding: 12px 16px max(14px, env(safe-area-inset-bottom)); border-top: 1px solid var(--rule); text-align: center; font-size: 13.5px }
.begin p { margin: 0; color: var(--quiet) }
.left { flex: 1; display: grid; place-content: center; justify-items: center; gap: 12px; padding: 24px; text-align: center }
.again { border: 1px solid var(--rule); border-radius: 999px; min-height: 40px; padding: 8px 16px; font-weight: 550 }
.again:hover { background: var(--soft) }
.main .left { flex: none; border-top: 1px solid var(--rule); padding: 16px }
.left svg { width: 34px; height: 34px; color: var(--link) }
:host([preview]) { position: relative; inset: auto; z-index: 0; display: grid; justify-items: end; gap: 16px }
:host([preview]) .panel { position: relative; inset: auto; width: 100%; max-width: 384px; height: 520px; animation: none; border-radius: 18px }
:host([preview]) .launcher { position: relative; inset: auto; order: 1 }
:host([preview][side=left]) { justify-items: start }
form .cancel:hover { background: var(--soft) }
.drop { position: absolute; inset: 8px; border: 2px dashed var(--accent); border-radius: 14px; background: color-mix(in srgb, var(--paper) 90%, transparent); display: grid; place-items: center; font-weight: 600; pointer-events: none }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }

@media (max-width: 480px) {
  .panel { inset: 0; width: auto; height: 100vh; height: 100dvh; border-radius: 0; animation: none }
  textarea, form input, form select { font-size: 16px }
  header { padding-top: max(14px, env(safe-area-inset-top)) }
}
@media (prefers-reduced-motion: reduce) { *, *::before { animation: none !important; transition: none !important } }
`;

export function applyStyle(root: ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];
}

/** Puts the accent on the host, with black or white on it, whichever can be read, and of its hue what can be read on the papers.
 *  Anything but #rrggbb is ignored. */
export function applyAccent(host: HTMLElement, accent: string | null | undefined): void {
  if (!accent || !/^#[0-9a-f]{6}$/i.test(accent)) return;
  host.style.setProperty("--accent", accent);
  host.style.setProperty("--on-accent", textOn(accent));
  host.style.setProperty("--link-light", readable(accent, "#ffffff"));
  host.style.setProperty("--link-dark", readable(accent, "#171b1a"));
}
