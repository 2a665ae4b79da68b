/*
 * Items by their number (an id: a whole number from 0 on), never changed in place: a change makes another table that shares all
 * but the way to the changed item with the one before. So one change among 50,000 copies some 130 fields instead of 50,000, and two
 * tables are compared by looking only where they differ.
 *
 * A tree of arrays of up to 32, five bits of the id a level, as high as the highest id needs; gaps between ids cost nothing.
 */
type Node = readonly unknown[];

export interface Change<T> {
  readonly was: T | undefined;
  readonly is: T | undefined;
}

const BITS = 5;
const WIDTH = 1 << BITS;
const MASK = WIDTH - 1;

export class Table<T> implements Iterable<T> {
  readonly size: number;
  /** Levels of arrays; ids below WIDTH ** height have a place. */
  private readonly height: number;
  private readonly root: Node;

  private constructor(size: number, height: number, root: Node) {
    this.size = size;
    this.height = height;
    this.root = root;
  }

  static empty<T>(): Table<T> {
    return new Table<T>(0, 1, []);
  }

  /** Of items with the same id the last one is held. */
  static of<T>(items: Iterable<T>, idOf: (item: T) => number): Table<T> {
    let table = Table.empty<T>();
    for (const item of items) table = table.with(idOf(item), item);
    return table;
  }

  /** Of anything but a whole number from 0 on there is none. */
  get(id: number): T | undefined {
    if (!Number.isInteger(id) || id < 0 || id >= WIDTH ** this.height) return undefined;
    let node: Node | undefined = this.root;
    for (let level = this.height - 1; level > 0 && node; level -= 1) node = node[(id >>> (level * BITS)) & MASK] as Node | undefined;
    return node?.[id & MASK] as T | undefined;
  }

  with(id: number, item: T): Table<T> {
    let { height, root } = this;
    for (; id >= WIDTH ** height; height += 1) root = [root];
    const held = this.get(id);
    if (held === item) return this;
    return new Table<T>(this.size + (held === undefined ? 1 : 0), height, replaced(root, height - 1, id, item));
  }

  without(id: number): Table<T> {
    if (this.get(id) === undefined) return this;
    return new Table<T>(this.size - 1, this.height, replaced(this.root, this.height - 1, id, undefined));
  }

  /** In the order of the ids. */
  values(): T[] {
    const found: T[] = [];
    collect(this.root, this.height - 1, found);
    return found;
  }

  filter(keeps: (item: T) => unknown): T[] {
    return this.values().filter(keeps);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.values()[Symbol.iterator]();
  }

  /** What is another in `this` than it was in `before`, in the order of the ids. */
  changesSince(before: Table<T>): Change<T>[] {
    const found: Change<T>[] = [];
    const height = Math.max(this.height, before.height);
    compare(lifted(before.root, height - before.height), lifted(this.root, height - this.height), height - 1, found);
    return found;
  }
}

function replaced(node: Node | undefined, level: number, id: number, item: unknown): Node {
  const copy = node ? node.slice() : [];
  const index = (id >>> (level * BITS)) & MASK;
  // No holes: an array with them is a slower kind of array.
  while (copy.length <= index) copy.push(undefined);
  copy[index] = level === 0 ? item : replaced(copy[index] as Node | undefined, level - 1, id, item);
  return copy;
}

function collect<T>(node: Node, level: number, found: T[]): void {
  for (const each of node) {
    if (each === undefined) continue;
    if (level === 0) found.push(each as T);
    else collect(each as Node, level - 1, found);
  }
}

function compare<T>(before: Node | undefined, after: Node | undefined, level: number, found: Change<T>[]): void {
  if (before === after) return;
  for (let index = 0; index < Math.max(before?.length ?? 0, after?.length ?? 0); index += 1) {
    const was = before?.[index];
    const is = after?.[index];
    if (was === is) continue;
    if (level === 0) found.push({ was: was as T | undefined, is: is as T | undefined });
    else compare(was as Node | undefined, is as Node | undefined, level - 1, found);
  }
}

function lifted(root: Node, by: number): Node {
  return by === 0 ? root : lifted([root], by - 1);
}
