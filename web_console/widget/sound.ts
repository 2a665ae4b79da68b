/* A short, soft two-note sound for a new message, made here: no file to load. Off until the visitor turns it on. */

export function playSound(): void {
  try {
    const audio = new AudioContext();
    const now = audio.currentTime;
    for (const [frequency, start] of [
      [660, 0],
      [880, 0.11],
    ] as const) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0.0001, now + start);
      volume.gain.exponentialRampToValueAtTime(0.08, now + start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, now + start + 0.22);
      tone.connect(volume).connect(audio.destination);
      tone.start(now + start);
      tone.stop(now + start + 0.25);
    }
    window.setTimeout(() => void audio.close(), 600);
  } catch {
    // No audio here: silence.
  }
}
