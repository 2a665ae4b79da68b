import { describe, expect, it } from "vitest";

import { plainNumber, readableNumber } from "./phoneNumbers";

describe("a telephone number", () => {
  it.each([
    ["+37491123456", "+374 91 123456"],
    ["+37410123456", "+374 10 123456"],
    ["+37423112345", "+374 231 12345"],
    ["+37480012345", "+374 800 12 345"],
    ["+995555123456", "+995 555 12 34 56"],
    ["+995322123456", "+995 32 212 34 56"],
    ["+994501234567", "+994 50 123 45 67"],
    ["+380501234567", "+380 50 123 4567"],
    ["+15005550006", "+1 500 555 0006"],
    ["+79161234567", "+7 916 123 45 67"],
    ["+442079460000", "+44 207 946 0000"],
    ["+35312345678", "+353 123 456 78"],
  ])("is written as its country writes it: %s", (plain, read) => {
    expect(readableNumber(plain)).toBe(read);
    expect(plainNumber(` ${read} `)).toBe(plain);
  });

  it.each(["", "withheld:7", "ani@example.com", "911", "+12", "+374 91 123456", "+3749112345678901234"])("that is none stays as it is: %s", (text) => {
    expect(readableNumber(text)).toBe(text);
  });

  it("of another country, or of a length that no pattern knows, loses no digit", () => {
    for (let length = 7; length <= 15; length += 1) {
      for (const code of ["374", "995", "994", "380", "1", "7", "49", "852"]) {
        const plain = `+${`${code}123456789012345`.slice(0, length)}`;
        const groups = readableNumber(plain).split(" ");
        expect(groups.join("")).toBe(plain);
        expect(groups.slice(1).every((each) => each.length > 1)).toBe(true);
      }
    }
  });

  it("is plain when it is copied alone; text around it stays text", () => {
    expect(plainNumber("Call +374 91 123456")).toBeNull();
    expect(plainNumber("+1 2")).toBeNull();
  });
});
