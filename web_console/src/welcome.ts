/* What the page has to know before anybody signs in: whether the hub is set up at all, and whether a lost password can be replaced. */
import { ref } from "vue";

import { staffApi } from "./client";

export const welcome = ref<Awaited<ReturnType<typeof staffApi.welcome>> | null>(null);

/** Asked once for a page; a hub that does not answer is taken for one that is set up. */
export async function loadWelcome(): Promise<void> {
  welcome.value ??= await staffApi.welcome().catch(() => null);
}

/** Somebody works here now. */
export function isSetUp(): void {
  if (welcome.value) welcome.value = { ...welcome.value, needs_set_up: false };
}
