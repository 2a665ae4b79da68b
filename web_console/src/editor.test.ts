import { describe, expect, it } from "vitest";
import { nextTick, ref } from "vue";

import { useEditor } from "./editor";

interface View {
  name: string;
  version: number;
  counted: number;
}
const drafted = (from: View | null) => ({ name: from?.name ?? "" });
const begun = () => {
  const current = ref<View | null>({ name: "Support", version: 1, counted: 0 });
  const busy = ref(false);
  return { current, busy, editor: useEditor(current, drafted, busy) };
};

describe("an editor", () => {
  it("takes a colleague's change in while nothing is written here", async () => {
    const { current, editor } = begun();
    current.value = { name: "Help", version: 2, counted: 0 };
    await nextTick();
    expect([editor.draft.value.name, editor.seenVersion.value, editor.changedElsewhere.value]).toEqual(["Help", 2, false]);
  });

  it("keeps what is written here, tells of theirs, and replaces it when it is saved", async () => {
    const { current, editor } = begun();
    editor.draft.value.name = "Mine";
    current.value = { name: "Theirs", version: 2, counted: 0 };
    await nextTick();
    expect([editor.draft.value.name, editor.changedElsewhere.value, editor.seenVersion.value]).toEqual(["Mine", true, 2]);
    editor.reset();
    expect([editor.draft.value.name, editor.changedElsewhere.value, editor.isChanged.value]).toEqual(["Theirs", false, false]);
  });

  it("knows what it saved when the live line tells of it before the hub answers", async () => {
    const { current, editor } = begun();
    editor.draft.value.name = "Mine";
    current.value = { name: "Mine", version: 2, counted: 0 };
    await nextTick();
    expect([editor.draft.value.name, editor.changedElsewhere.value, editor.isChanged.value, editor.seenVersion.value]).toEqual(["Mine", false, false, 2]);
  });

  it("keeps what is typed while it is being saved, as the next change", async () => {
    const { current, busy, editor } = begun();
    editor.draft.value.name = "Mine";
    busy.value = true;
    editor.draft.value.name = "Mine, too";
    // The live line may be first with it.
    current.value = { name: "Mine", version: 2, counted: 0 };
    await nextTick();
    expect([editor.changedElsewhere.value, editor.isChanged.value, editor.seenVersion.value]).toEqual([false, true, 2]);
    busy.value = false;
    editor.taken({ name: "Mine", version: 2, counted: 0 });
    expect([editor.draft.value.name, editor.isChanged.value, editor.seenVersion.value]).toEqual(["Mine, too", true, 2]);
  });

  it("calls no conflict what is not edited", async () => {
    const { current, editor } = begun();
    editor.draft.value.name = "Mine";
    current.value = { name: "Support", version: 2, counted: 7 };
    await nextTick();
    expect([editor.changedElsewhere.value, editor.seenVersion.value]).toEqual([false, 2]);
  });

  it("holds what the hub made of it", () => {
    const { editor } = begun();
    editor.draft.value.name = " Mine ";
    editor.taken({ name: "Mine", version: 2, counted: 0 });
    expect([editor.draft.value.name, editor.isChanged.value, editor.seenVersion.value]).toEqual(["Mine", false, 2]);
  });
});
