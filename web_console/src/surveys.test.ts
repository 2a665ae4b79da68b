import { describe, expect, it } from "vitest";

import type { SurveySettingView } from "./events";
import { draftOf, NONE, settingOf, withKind } from "./surveys";

const saved: SurveySettingView = {
  queue_id: 1, queue_name: "Sales", enabled: true, kind: "csat", questions: { hy: "Գո՞հ եք։" }, language: "hy", channels: ["phone", "chat"],
  delay_s: 60, throttle_days: 30, open_h: 72, low_score: 2, told: null, scores_for_agents: "own", version: 3,
};

describe("the settings of a survey", () => {
  it("are saved as they came when nothing was changed", () => {
    const { queue_id: _id, queue_name: _name, version, ...same } = saved;
    expect(settingOf(draftOf(saved), version)).toEqual({ ...same, channels: ["chat", "phone"], expected_version: 3 });
  });

  it("send an own question only where there is one", () => {
    const draft = draftOf(saved);
    draft.questions.en = "  ";
    expect(settingOf(draft, 3).questions).toEqual({ hy: "Գո՞հ եք։" });
  });

  it("keep no bound of another scale", () => {
    expect(withKind(draftOf(saved), "nps").low_score).toBe(6);
    expect(withKind({ ...draftOf(saved), low_score: NONE }, "nps").low_score).toBe(NONE);
  });
});
