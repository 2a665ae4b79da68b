/* Sounds and notices of the system's: what this machine may, and what its person wants just now (quiet.ts decides). */
import { callTone, chime, noticeTone, pageTone } from "./chime";
import { notifyDesktop } from "./desktop";
import { useHub } from "./hub";
import { usePreferences } from "./preferences";
import { type Moment, type NoticeKind, shows, sounds } from "./quiet";

const TONES: Readonly<Record<NoticeKind, () => void>> = {
  offer: chime, call: callTone, page: pageTone, mention: noticeTone, task: noticeTone, work: noticeTone, alert: noticeTone,
};

export function useTelling() {
  const hub = useHub();
  const preferences = usePreferences();

  const moment = (): Moment => ({ now: Date.now() + hub.skew_ms, zone: hub.state?.organisation.time_zone ?? "UTC", state: hub.me?.state ?? null });

  function sound(kind: NoticeKind): void {
    const rules = hub.state?.noticeRules;
    if (preferences.sound && (!rules || sounds(rules, kind, moment()))) TONES[kind]();
  }

  function notify(kind: NoticeKind, tag: string, title: string, body: string, opened: () => void): void {
    const rules = hub.state?.noticeRules;
    if (preferences.desktop && (!rules || shows(rules, kind, moment()))) notifyDesktop(tag, title, body, opened);
  }

  /** To hear what it is like: whoever asks wants it now. */
  const play = (kind: NoticeKind) => TONES[kind]();

  return { sound, notify, play };
}
