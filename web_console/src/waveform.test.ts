import { describe, expect, it } from "vitest";

import { barsOf, nextSpeed, soughtBy, wavePath } from "./waveform";

describe("bars", () => {
  it("are the loudest of their share", () => {
    expect(barsOf([10, 50, 20, 0], 2, 50)).toEqual([1, 0.4]);
  });

  it("are as many as asked for, of however few numbers", () => {
    expect(barsOf([40, 20], 4, 40)).toEqual([1, 1, 0.5, 0.5]);
    expect(barsOf([], 3, 0)).toEqual([0, 0, 0]);
    expect(barsOf([0, 0], 2, 0)).toEqual([0, 0]);
  });
});

describe("the path", () => {
  it("has the customer above the line and us below", () => {
    expect(wavePath([[50, 0], [0, 50]], 2)).toBe("M0.5 -0.92V0.04M1.5 -0.04V0.92");
  });

  it("goes both ways for one channel", () => {
    expect(wavePath([[100, 50]], 2)).toBe("M0.5 -0.92V0.92M1.5 -0.46V0.46");
  });

  it("is a line while nothing is known", () => {
    expect(wavePath(null, 2)).toBe("M0.5 -0.04V0.04M1.5 -0.04V0.04");
  });
});

describe("keys", () => {
  it.each([
    ["ArrowRight", 10, 15],
    ["ArrowLeft", 3, 0],
    ["PageUp", 50, 60],
    ["Home", 40, 0],
    ["End", 40, 60],
  ])("%s from %i s goes to %i s", (key, from, to) => {
    expect(soughtBy(key, from, 60)).toBe(to);
  });

  it("of others are left alone", () => {
    expect(soughtBy("a", 10, 60)).toBeNull();
  });
});

it("speeds go round", () => {
  expect([1, 1.5, 2].map(nextSpeed)).toEqual([1.5, 2, 1]);
});
