/* What a survey is about, and the settings of a queue's survey while they are edited. Pure. */
import type { SurveySettingView } from "./events";
import { SPOKEN_LANGUAGES } from "./flow";

export type SurveyKind = SurveySettingView["kind"];
export type SurveyChannel = "chat" | "sms" | "email" | "phone";
export type SurveyLanguage = (typeof LANGUAGES)[number];

export const KINDS: readonly SurveyKind[] = ["csat", "nps", "ces"];
export const CHANNELS: readonly SurveyChannel[] = ["chat", "sms", "email", "phone"];
/** What customers are asked in (hub/surveys/words.py): the languages of the hub's phrases, and what it only writes. */
export const LANGUAGES = [...SPOKEN_LANGUAGES, "ru"] as const;
export const SCALES: Readonly<Record<SurveyKind, readonly number[]>> = {
  csat: [1, 2, 3, 4, 5],
  nps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  ces: [1, 2, 3, 4, 5],
};
/** Of ten, six and less is a detractor; of five, two and less is no top box by far. */
const USUAL_LOW: Readonly<Record<SurveyKind, number>> = { csat: 2, nps: 6, ces: 2 };
/** "No score is low", where a select wants a value. */
export const NONE = -1;

export interface SurveyDraft {
  enabled: boolean;
  kind: SurveyKind;
  questions: Record<SurveyLanguage, string>;
  language: SurveyLanguage;
  channels: SurveyChannel[];
  delay_s: number;
  throttle_days: number;
  open_h: number;
  low_score: number;
  tellsAll: boolean;
  told: number[];
  scores_for_agents: "own" | "all";
}

export function draftOf(from: SurveySettingView | null): SurveyDraft {
  const questions = Object.fromEntries(LANGUAGES.map((each) => [each, from?.questions[each] ?? ""])) as SurveyDraft["questions"];
  return {
    enabled: from?.enabled ?? false,
    kind: from?.kind ?? "csat",
    questions,
    language: LANGUAGES.find((each) => each === from?.language) ?? "en",
    channels: CHANNELS.filter((each) => from?.channels.includes(each) ?? true),
    delay_s: from?.delay_s ?? 0,
    throttle_days: from?.throttle_days ?? 0,
    open_h: from?.open_h ?? 1,
    low_score: from?.low_score ?? NONE,
    tellsAll: (from?.told ?? null) === null,
    told: from?.told ?? [],
    scores_for_agents: from?.scores_for_agents ?? "own",
  };
}

/** What the hub is told; an own question only where there is one. */
export function settingOf(draft: SurveyDraft, expectedVersion: number) {
  const { tellsAll, questions, low_score, told, ...same } = draft;
  return {
    ...same,
    questions: Object.fromEntries(Object.entries(questions).filter(([, words]) => words.trim() !== "")) as Partial<SurveyDraft["questions"]>,
    low_score: low_score === NONE ? null : low_score,
    told: tellsAll ? null : told,
    expected_version: expectedVersion,
  };
}

/** Another kind has another scale: what counts as low is that kind's. */
export const withKind = (draft: SurveyDraft, kind: SurveyKind): SurveyDraft => ({
  ...draft,
  kind,
  low_score: draft.low_score === NONE ? NONE : USUAL_LOW[kind],
});
