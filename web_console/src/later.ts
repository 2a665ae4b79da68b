/*
 * Parts of a screen that nobody sees before they ask for them (a dialog, a picture on the whole screen): they are not among what the first
 * screen waits for, but fetched as soon as it stands. Nothing is drawn in their place, for closed they draw nothing. What was asked for
 * meanwhile is open when they come, so such a part looks at once, not only at the next change, whether it is.
 */
import { type AsyncComponentLoader, type Component, defineAsyncComponent } from "vue";

const MOST_WAIT_MS = 15_000;

export const later = <T extends Component>(load: AsyncComponentLoader<T>): T =>
  defineAsyncComponent({
    loader: load,
    suspensible: false,
    // The line may be down just then: nobody reloads the page because of it.
    onError: (_error, retry, _fail, attempts) => void setTimeout(retry, Math.min(1_000 * attempts, MOST_WAIT_MS)),
  });
