import { createApp, h } from "vue";
import { beforeAll, describe, expect, it } from "vitest";

import type { ContactPointView } from "./events";
import { i18n, LANGUAGES, type Language, setLanguage } from "./i18n";
import { awayFor, otherWay } from "./visitor";
import { useVisitorWords } from "./visitorWords";
import type { Hindrance, Way, WayKind } from "./ways";

const AT = "2026-11-22T10:00:00Z";
const after = (seconds: number) => Date.parse(AT) + seconds * 1_000;
const away = { visitor_away_since: AT };

function way(kind: WayKind, hindrance: Hindrance | null = null, changes: Partial<Way> = {}): Way {
  return { key: kind, kind, channel: null, point: { id: 1, address: "x" } as ContactPointView, hindrance, open: null, isPreferred: false, bounced: false, ...changes };
}

describe("how long a visitor is away", () => {
  it("is nothing while they are there, and where an older hub does not say", () => {
    expect(awayFor({ visitor_away_since: null }, after(0))).toBeNull();
    expect(awayFor({} as typeof away, after(0))).toBeNull();
  });

  it("is told from a minute on, and never negative", () => {
    expect(awayFor(away, after(59))).toEqual({ seconds: 59, isJust: true });
    expect(awayFor(away, after(60))).toEqual({ seconds: 60, isJust: false });
    expect(awayFor(away, after(-5))).toEqual({ seconds: 0, isJust: true });
  });
});

describe("another way to them", () => {
  it("is by words before a call, in the order of the ways", () => {
    expect(otherWay([way("phone"), way("email"), way("sms"), way("chat")])?.kind).toBe("email");
    expect(otherWay([way("phone"), way("chat")])?.kind).toBe("phone");
  });

  it("is none that is hindered, came back, or is the chat itself", () => {
    expect(otherWay([way("chat"), way("sms", "opted_out"), way("email", null, { bounced: true }), way("phone", "no_line")])).toBeNull();
    expect(otherWay([way("email", null, { point: null })])).toBeNull();
    expect(otherWay([])).toBeNull();
  });
});

describe.each(Object.keys(LANGUAGES) as Language[])("the words in %s", (language) => {
  beforeAll(() => setLanguage(language));

  function words(): ReturnType<typeof useVisitorWords> {
    let found: ReturnType<typeof useVisitorWords> | undefined;
    const app = createApp({ setup: () => ((found = useVisitorWords()), () => h("p")) });
    app.use(i18n).mount(document.createElement("div"));
    app.unmount();
    return found as ReturnType<typeof useVisitorWords>;
  }

  it("tell minutes, hours and days as the language does", () => {
    const { left, leftShort } = words();
    const told = [90, 3_700, 200_000].map((seconds) => left(away, after(seconds)));
    expect(told.every((sentence) => /\d/u.test(sentence) && !sentence.includes("{"))).toBe(true);
    expect(new Set(told).size).toBe(3);
    expect(left(away, after(5))).not.toMatch(/\d/u);
    expect(leftShort(away, after(90)).length).toBeLessThan(left(away, after(90)).length);
    expect([left({ visitor_away_since: null }, after(5)), leftShort({ visitor_away_since: null }, after(5))]).toEqual(["", ""]);
  });
});

it("reads in English as it was meant", async () => {
  await setLanguage("en");
  const { t } = i18n.global;
  expect(t("visitor.left", { time: "3 min" })).toBe("The visitor left the page 3 min ago.");
});
