import { describe, expect, it } from "vitest";
import { computed, effectScope, ref } from "vue";

import { type Deed, deedsNow, useDeeds } from "./deeds";

const deed = (key: string): Deed => ({ key, icon: "check", text: key, run: () => undefined });

describe("what can be done now", () => {
  it("is what is on the screen, and follows it", () => {
    const told = computed(() => deedsNow().map((each) => each.key));
    const isMine = ref(false);
    const pane = effectScope();
    const card = effectScope();
    pane.run(() => useDeeds(() => (isMine.value ? [deed("resolve"), deed("transfer")] : [deed("take")])));
    card.run(() => useDeeds(() => [deed("merge")]));
    expect(told.value).toEqual(["take", "merge"]);

    isMine.value = true;
    expect(told.value).toEqual(["resolve", "transfer", "merge"]);

    pane.stop();
    expect(told.value).toEqual(["merge"]);
    card.stop();
    expect(told.value).toEqual([]);
  });
});
