/*
 * How charts look: the console's tokens as a theme of ECharts. A canvas knows no custom properties, so they are read when the chart is
 * drawn, and again when light and dark change.
 */
import { onScopeDispose, readonly, type Ref, ref } from "vue";

/** As many as one chart tells apart; a ninth line is a question for a table. */
export const SERIES_COLOURS = 8;
/** Beside the colour each line has a sign and a stroke of its own, for those who do not tell the colours apart. */
export const SIGNS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"] as const;
export const STROKES = ["solid", "dashed", "dotted", [8, 3, 2, 3], "solid", "dashed", "dotted", [8, 3, 2, 3]] as const;

export interface ChartColours {
  series: string[];
  ink: string;
  quiet: string;
  line: string;
  lineStrong: string;
  surface: string;
  sunken: string;
  accent: string;
  good: string;
  warn: string;
  bad: string;
  font: string;
}

/** `read` gives the value of a custom property, as getComputedStyle does. */
export function chartColours(read: (name: string) => string): ChartColours {
  const token = (name: string) => read(`--${name}`).trim();
  return {
    series: Array.from({ length: SERIES_COLOURS }, (_, index) => token(`chart-${index + 1}`)),
    ink: token("ink"),
    quiet: token("ink-3"),
    line: token("line"),
    lineStrong: token("line-strong"),
    surface: token("surface"),
    sunken: token("sunken"),
    accent: token("accent"),
    good: token("good"),
    warn: token("warn"),
    bad: token("bad"),
    font: token("font"),
  };
}

/** "#0f5f66" let through; other notations are left alone. ECharts reads no modern rgb(). */
export function withAlpha(colour: string, alpha: number): string {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  return parts ? `rgba(${parts.slice(1, 4).map((part) => parseInt(part, 16)).join(",")},${alpha})` : colour;
}

const axis = (colours: ChartColours) => ({
  axisLine: { lineStyle: { color: colours.lineStrong } },
  axisTick: { show: false },
  axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true },
  splitLine: { lineStyle: { color: colours.line } },
  splitArea: { show: false },
  nameTextStyle: { color: colours.quiet, fontSize: 11 },
});

export function chartTheme(colours: ChartColours): Record<string, unknown> {
  return {
    color: colours.series,
    backgroundColor: "transparent",
    textStyle: { color: colours.ink, fontFamily: colours.font, fontSize: 12 },
    categoryAxis: { ...axis(colours), splitLine: { show: false } },
    valueAxis: { ...axis(colours), axisLine: { show: false } },
    line: { lineStyle: { width: 2 }, symbolSize: 6, smooth: false },
    bar: { itemStyle: { borderRadius: [3, 3, 0, 0] }, barMaxWidth: 42 },
    legend: { textStyle: { color: colours.ink, fontSize: 12 }, inactiveColor: colours.lineStrong, pageTextStyle: { color: colours.quiet }, pageIconColor: colours.quiet, pageIconInactiveColor: colours.line },
    markLine: { lineStyle: { color: colours.quiet }, label: { color: colours.quiet } },
    dataZoom: {
      borderColor: colours.line,
      fillerColor: withAlpha(colours.accent, 0.12),
      handleStyle: { color: colours.surface, borderColor: colours.lineStrong },
      moveHandleStyle: { color: colours.lineStrong },
      dataBackground: { lineStyle: { color: colours.lineStrong }, areaStyle: { color: colours.line } },
      selectedDataBackground: { lineStyle: { color: colours.accent }, areaStyle: { color: withAlpha(colours.accent, 0.2) } },
      textStyle: { color: colours.quiet, fontSize: 11 },
    },
  };
}

const currentColours = () => {
  const style = getComputedStyle(document.documentElement);
  return chartColours((name) => style.getPropertyValue(name));
};

/** The colours of the moment: they follow the system's wish and the choice of light or dark. */
export function useChartColours(): Readonly<Ref<ChartColours>> {
  const colours = ref(currentColours());
  const renew = () => (colours.value = currentColours());
  const chosen = new MutationObserver(renew);
  chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  const wished = matchMedia("(prefers-color-scheme: dark)");
  wished.addEventListener("change", renew);
  onScopeDispose(() => {
    chosen.disconnect();
    wished.removeEventListener("change", renew);
  });
  return readonly(colours) as Readonly<Ref<ChartColours>>;
}
