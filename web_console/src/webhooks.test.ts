import { describe, expect, it } from "vitest";

import en from "./locales/en.json";
import type { WebhookDelivery } from "./events";
import { eventKey, isSafe, readable, refreshed, WEBHOOK_EVENTS } from "./webhooks";

const delivery = (id: number, state: WebhookDelivery["state"] = "waiting") => ({ id, state }) as WebhookDelivery;

describe("webhooks", () => {
  it("have a sentence for each event and show each once", () => {
    const names = Object.values(WEBHOOK_EVENTS).flat();
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(en.webhook_event).sort()).toEqual(names.map(eventKey).sort());
  });

  it("keep the list in its place while it is looked at", () => {
    const shown = [delivery(3), delivery(2)];
    const { items, newer } = refreshed(shown, [delivery(5), delivery(4), delivery(3, "delivered")]);
    expect(items.map((each) => [each.id, each.state])).toEqual([[3, "delivered"], [2, "waiting"]]);
    expect(newer).toBe(2);
    expect(refreshed([], [delivery(1)]).newer).toBe(0);
  });

  it("go by TLS or stay on this machine", () => {
    const urls = ["https://example.org/x", " https://example.org", "http://127.0.0.1:80/x", "http://example.org/x", "http://localhost.example.org", "ftp://example.org", ""];
    expect(urls.filter(isSafe)).toEqual(urls.slice(0, 3));
  });

  it("show JSON as one reads it and anything else as it is", () => {
    expect(readable('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(readable("ok")).toBe("ok");
  });
});
