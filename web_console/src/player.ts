/* One sound at a time, or several one after the other; silent when its screen goes. */
import { onScopeDispose, type Ref, ref } from "vue";

export interface Player {
  /** What is playing, by its number; null: nothing. */
  playing: Ref<number | null>;
  toggle: (id: number, url: string) => void;
  play: (sounds: readonly { id: number; url: string }[]) => void;
  stop: () => void;
}

export function usePlayer(): Player {
  const playing = ref<number | null>(null);
  let audio: HTMLAudioElement | null = null;

  function stop(): void {
    if (audio) audio.onended = audio.onerror = null;
    audio?.pause();
    audio = null;
    playing.value = null;
  }
  function play(sounds: readonly { id: number; url: string }[]): void {
    stop();
    const [first, ...rest] = sounds;
    if (!first) return;
    audio = new Audio(first.url);
    playing.value = first.id;
    audio.onended = () => play(rest);
    audio.onerror = () => play(rest);
    // A browser may forbid sound before anybody has touched the page.
    audio.play().catch(stop);
  }
  const toggle = (id: number, url: string) => (playing.value === id ? stop() : play([{ id, url }]));

  onScopeDispose(stop);
  return { playing, toggle, play, stop };
}
