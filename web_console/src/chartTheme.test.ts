import { expect, it } from "vitest";

import { chartColours, chartTheme, SERIES_COLOURS, SIGNS, STROKES, withAlpha } from "./chartTheme";

it("a chart takes its colours from the tokens", () => {
  const colours = chartColours((name) => ` ${name.slice(2)} `);
  expect(colours.series).toEqual(["chart-1", "chart-2", "chart-3", "chart-4", "chart-5", "chart-6", "chart-7", "chart-8"]);
  expect(chartTheme(colours)).toMatchObject({ color: colours.series, textStyle: { color: "ink", fontFamily: "font" } });
});

it("no two lines have colour alone to be told apart by", () => {
  const marks = Array.from({ length: SERIES_COLOURS }, (_, index) => `${SIGNS[index]} ${STROKES[index]}`);
  expect(new Set(marks).size).toBe(SERIES_COLOURS);
});

it.each([
  ["#0f5f66", 0.5, "rgba(15,95,102,0.5)"],
  ["rgb(1 2 3 / 4%)", 0.5, "rgb(1 2 3 / 4%)"],
])("%s is let through by %d", (colour, alpha, expected) => {
  expect(withAlpha(colour, alpha)).toBe(expected);
});
