import { describe, expect, it } from "vitest";

import { contrast, readable, textOn } from "./contrast";

describe("colours of the widget", () => {
  it("puts on any colour what can be read there", () => {
    for (let red = 0; red < 256; red += 51) {
      for (let green = 0; green < 256; green += 51) {
        for (let blue = 0; blue < 256; blue += 51) {
          const colour = `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
          expect(contrast(colour, textOn(colour))).toBeGreaterThanOrEqual(4.5);
          for (const paper of ["#ffffff", "#171b1a"]) expect(contrast(readable(colour, paper), paper)).toBeGreaterThanOrEqual(5.3);
        }
      }
    }
  });

  it("leaves a colour alone that can be read", () => {
    expect(readable("#0f766e", "#ffffff")).toBe("#0f766e");
    expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
  });
});
