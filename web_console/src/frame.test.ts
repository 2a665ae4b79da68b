import { describe, expect, it } from "vitest";

import { guessedHeight } from "./frame";

describe("the frame of a mail", () => {
  it("is as tall as its lines, long ones broken", () => {
    const short = guessedHeight("Hello,\n\nthree bags please.\n\nAram\n", [], 0);
    // Measured: such a mail is 143 px tall, and the frame has some 18 px around it.
    expect(short).toBeGreaterThanOrEqual(161);
    expect(short).toBeLessThan(161 + 30);
    expect(guessedHeight("a".repeat(200), [], 0)).toBe(guessedHeight("a\na\na", [], 0));
  });

  it("has room for pictures that are shown, little for a logo, and ends somewhere", () => {
    const bare = guessedHeight("Hello", [], 0);
    expect(guessedHeight("Hello", [4_000], 0) - bare).toBeLessThan(100);
    expect(guessedHeight("Hello", [400_000], 0) - bare).toBeGreaterThan(150);
    expect(guessedHeight("Hello\n".repeat(500), [], 50)).toBe(460);
  });
});
