/*
 * A long list that stands in an order and is never sorted again: what changes is taken out and put in at its place. Never changed
 * in place: a change makes another list, which shares every piece but those that changed with the one before, so putting a row
 * into 50,000 copies some hundreds. Screens read a window of it (`at`, `slice`).
 *
 * The order is told as numbers, compared one after the other; the last one must tell any two items apart.
 */
export type Keys<T> = (item: T) => readonly number[];

// Pieces of this many; one that has twice as many is cut.
const PIECE = 256;

export class Ordered<T> implements Iterable<T> {
  readonly length: number;
  readonly keys: Keys<T>;
  private readonly pieces: readonly (readonly T[])[];
  /** How many items stand before each piece. */
  private readonly starts: readonly number[];
  private whole: readonly T[] | null = null;

  private constructor(keys: Keys<T>, pieces: readonly (readonly T[])[]) {
    this.keys = keys;
    this.pieces = pieces;
    const starts: number[] = [];
    let length = 0;
    for (const piece of pieces) {
      starts.push(length);
      length += piece.length;
    }
    this.starts = starts;
    this.length = length;
  }

  static of<T>(items: readonly T[], keys: Keys<T>): Ordered<T> {
    // Each item's keys are computed once, not with each comparison.
    const keyed = items.map((item) => ({ item, keys: keys(item) }));
    return new Ordered(keys, cut(keyed.toSorted((a, b) => compareKeys(a.keys, b.keys)).map((each) => each.item)));
  }

  at(index: number): T | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const piece = this.pieceAt(index);
    return this.pieces[piece]?.[index - (this.starts[piece] as number)];
  }

  slice(from = 0, to = this.length): T[] {
    const found: T[] = [];
    const end = Math.min(to, this.length);
    let index = Math.max(0, from);
    for (let piece = index < end ? this.pieceAt(index) : 0; index < end; piece += 1) {
      const start = this.starts[piece] as number;
      for (const item of (this.pieces[piece] as readonly T[]).slice(index - start, end - start)) found.push(item);
      index = start + (this.pieces[piece] as readonly T[]).length;
    }
    return found;
  }

  /** -1 where this very item is not in it. */
  indexOf(item: T): number {
    const keys = this.keys(item);
    const piece = this.pieceOf(this.pieces, keys);
    const index = this.placeIn(this.pieces[piece] ?? [], keys);
    return this.pieces[piece]?.[index] === item ? (this.starts[piece] as number) + index : -1;
  }

  /** Without `gone` (the very items that are in it; others are passed over) and with `come`. The same list where that is nothing. */
  changed(gone: readonly T[], come: readonly T[]): Ordered<T> {
    if (gone.length === 0 && come.length === 0) return this;
    const pieces = this.pieces.map((piece) => ({ items: piece, isOurs: false }));
    const bare = () => pieces.map((piece) => piece.items);
    let held = bare();
    const own = (index: number): T[] => {
      const piece = pieces[index] as (typeof pieces)[number];
      if (!piece.isOurs) Object.assign(piece, { items: piece.items.slice(), isOurs: true });
      held[index] = piece.items;
      return piece.items as T[];
    };
    for (const item of gone) {
      const keys = this.keys(item);
      const index = this.pieceOf(held, keys);
      const place = this.placeIn(held[index] ?? [], keys);
      if (held[index]?.[place] !== item) continue;
      const items = own(index);
      items.splice(place, 1);
      if (items.length > 0) continue;
      pieces.splice(index, 1);
      held = bare();
    }
    for (const item of come) {
      const keys = this.keys(item);
      if (pieces.length === 0) {
        pieces.push({ items: [item], isOurs: true });
        held = bare();
        continue;
      }
      const index = this.pieceOf(held, keys);
      const items = own(index);
      items.splice(this.placeIn(items, keys), 0, item);
      if (items.length < 2 * PIECE) continue;
      pieces.splice(index, 1, { items: items.slice(0, PIECE), isOurs: true }, { items: items.slice(PIECE), isOurs: true });
      held = bare();
    }
    // Where rows only leave, pieces become small: then it is cut anew.
    const isCrumbled = held.length > 8 + (3 * held.reduce((sum, piece) => sum + piece.length, 0)) / PIECE;
    return new Ordered(this.keys, isCrumbled ? cut(held.flat() as T[]) : held);
  }

  /** All of it as an array, made when it is first asked for. */
  toArray(): readonly T[] {
    return (this.whole ??= this.pieces.flat() as T[]);
  }

  filter(keeps: (item: T) => unknown): T[] {
    return this.toArray().filter(keeps);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.toArray()[Symbol.iterator]();
  }

  private pieceAt(index: number): number {
    return firstWhere(this.starts.length, (piece) => (this.starts[piece] as number) > index) - 1;
  }

  /** The piece in which such an item is, or would be put: the last one that does not begin behind it. */
  private pieceOf(pieces: readonly (readonly T[])[], keys: readonly number[]): number {
    return Math.max(0, firstWhere(pieces.length, (piece) => compareKeys(this.keys(pieces[piece]?.[0] as T), keys) > 0) - 1);
  }

  private placeIn(items: readonly T[], keys: readonly number[]): number {
    return firstWhere(items.length, (index) => compareKeys(this.keys(items[index] as T), keys) >= 0);
  }
}

/** As `Array.sort` wants it. */
export function comparing<T>(keys: Keys<T>): (a: T, b: T) => number {
  return (a, b) => compareKeys(keys(a), keys(b));
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index += 1) {
    const [one, other] = [a[index] as number, b[index] as number];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** The first index for which it is true, of those for which it is false before and true from then on. */
function firstWhere(length: number, isTrue: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function cut<T>(items: readonly T[]): (readonly T[])[] {
  const pieces: (readonly T[])[] = [];
  for (let from = 0; from < items.length; from += PIECE) pieces.push(items.slice(from, from + PIECE));
  return pieces;
}
