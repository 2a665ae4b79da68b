/* The first set-up: its steps, and where it stands, for the page itself and for the way back to it. */
import { shallowRef } from "vue";

import { staffApi } from "./client";
import type { SetUp } from "./events";

export const SET_UP_STEPS = ["organisation", "account", "team", "channel", "test", "done"] as const;
export type SetUpStep = (typeof SET_UP_STEPS)[number];

/** Null: not asked for yet. */
export const setUp = shallowRef<SetUp | null>(null);

/** What it says cannot be known is not shown. */
export async function loadSetUp(): Promise<void> {
  setUp.value = await staffApi.setUp().catch(() => null);
}

export async function goToStep(step: SetUpStep | null): Promise<void> {
  setUp.value = await staffApi.setSetUpStep(step);
}

export const dismissSetUp = () => goToStep(null);

/** Where somebody is sent who works here already: their own account is there, however it came to be. */
export const stepOf = (step: SetUpStep | null): SetUpStep | null => (step === "account" ? "team" : step);
