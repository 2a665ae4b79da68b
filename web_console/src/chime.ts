/* The sounds of an offer, of a call, of a page and of a notice: a few soft notes made by WebAudio, so there is no file to load. Silent until the browser allows it. */
let context: AudioContext | undefined;

// A rising fifth, D5 to A5: heard over talk, and not alarming.
const OFFER_HZ = [587.33, 880];
// Three times the same, A5, and then lower, E5: not to be taken for an offer, and heard by whoever is in a talk.
const PAGE_HZ = [880, 880, 880, 659.25];
// A call: the offer's two notes, three times in a row, as a telephone rings.
const CALL_HZ = [...OFFER_HZ, ...OFFER_HZ, ...OFFER_HZ];
// A notice: one falling step, G5 to E5. It wants nothing at once.
const NOTICE_HZ = [783.99, 659.25];
const NOTE_S = 0.16;
const VOLUME = 0.12;

export const chime = (): void => play(OFFER_HZ);
export const callTone = (): void => play(CALL_HZ);
export const pageTone = (): void => play(PAGE_HZ);
export const noticeTone = (): void => play(NOTICE_HZ);

function play(notes_hz: readonly number[]): void {
  if (!navigator.userActivation.hasBeenActive) return;
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
  const start = context.currentTime + 0.02;
  notes_hz.forEach((frequency, index) => {
    if (!context) return;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    const at = start + index * NOTE_S;
    oscillator.type = "sine";
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(VOLUME, at + 0.015);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + NOTE_S * 3);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(at);
    oscillator.stop(at + NOTE_S * 3);
  });
}
