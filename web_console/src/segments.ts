/*
 * How many SMS parts a text takes: GSM 03.38 seven-bit when every character is in its alphabet, else UCS-2.
 *
 * Sizes (3GPP TS 23.040): 160 septets or 70 UTF-16 units in one part; 153 and 67 in each of several, the rest is the header
 * that joins them. Characters of the extension table (^{}[]~\|€) cost two septets, and neither such a pair nor a surrogate
 * pair is split over two parts. tests/payloads/segments.json holds the vectors that the server is tested with, too.
 */
export interface SegmentCount {
  encoding: "gsm7" | "ucs2";
  /** Septets (gsm7) or UTF-16 units (ucs2). */
  units: number;
  segments: number;
  /** Units left in the last part. */
  left: number;
}

const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENSION = new Set("\f^{}\\[~]|€");

const SINGLE = { gsm7: 160, ucs2: 70 };
const PART = { gsm7: 153, ucs2: 67 };

export function countSegments(text: string): SegmentCount {
  const characters = [...text];
  const encoding = characters.every((each) => BASIC.has(each) || EXTENSION.has(each)) ? "gsm7" : "ucs2";
  const costs = characters.map((each) => (encoding === "gsm7" ? (EXTENSION.has(each) ? 2 : 1) : each.length));
  const units = costs.reduce((sum, cost) => sum + cost, 0);
  if (units === 0) return { encoding, units, segments: 0, left: SINGLE[encoding] };
  if (units <= SINGLE[encoding]) return { encoding, units, segments: 1, left: SINGLE[encoding] - units };
  const size = PART[encoding];
  let segments = 1;
  let used = 0;
  for (const cost of costs) {
    if (used + cost > size) {
      segments += 1;
      used = 0;
    }
    used += cost;
  }
  return { encoding, units, segments, left: size - used };
}
