/*
 * How this person likes this machine's screen: theme, sound, notices, panel. Kept in the browser, per user; the language is kept by
 * the hub, since it goes with the person.
 */
import { defineStore } from "pinia";
import { reactive, toRefs, watch } from "vue";

import { useHub } from "./hub";

interface Preferences {
  theme: "system" | "light" | "dark";
  sound: boolean;
  /** Notices of the system's own while the page is not looked at. */
  desktop: boolean;
  customerPanel: boolean;
  /** What other systems told stands in the card alone, not in the timeline. */
  hideActivities: boolean;
  /** Of the board; null: those that are usual. */
  boardColumns: string[] | null;
}

const DEFAULTS: Preferences = { theme: "system", sound: true, desktop: false, customerPanel: true, hideActivities: false, boardColumns: null };

export const usePreferences = defineStore("preferences", () => {
  const hub = useHub();
  const preferences = reactive<Preferences>({ ...DEFAULTS });
  const key = () => `hub.preferences.${hub.user?.id ?? "nobody"}`;

  watch(
    () => hub.user?.id,
    () => Object.assign(preferences, DEFAULTS, JSON.parse(localStorage.getItem(key()) ?? "{}")),
    { immediate: true },
  );
  watch(preferences, () => {
    localStorage.setItem(key(), JSON.stringify(preferences));
  });
  watch(
    () => preferences.theme,
    (theme) => {
      if (theme === "system") delete document.documentElement.dataset["theme"];
      else document.documentElement.dataset["theme"] = theme;
    },
    { immediate: true },
  );

  return toRefs(preferences);
});
