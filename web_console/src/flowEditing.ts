/* What the parts of a menu's editor share: the menu, what may be named in it, how it is changed, and what stands where. */
import { computed, type ComputedRef, inject, type InjectionKey, nextTick, onMounted, provide, type Ref, ref, shallowRef } from "vue";
import { useI18n } from "vue-i18n";

import { useCalendars } from "./calendarsLoaded";
import { api } from "./client";
import type { FlowBody, FlowNode, SoundView } from "./events";
import { faultsAt, insert, type NodeKind, newNode, outline, type Usual, type Way } from "./flow";
import { useHub } from "./hub";

export interface Option {
  value: number;
  label: string;
}

export interface FlowEditing {
  body: Ref<FlowBody>;
  /** Where each node is shown. */
  shown: ComputedRef<Map<string, Way>>;
  queues: ComputedRef<Option[]>;
  calendars: ComputedRef<Option[]>;
  sounds: Ref<SoundView[]>;
  usual: ComputedRef<Usual>;
  /** The node at which the caller of the preview is. */
  here: Ref<string | null>;
  opened: Ref<ReadonlySet<string>>;
  toggle: (id: string, open: boolean) => void;
  /** A change of the tree, which can be taken back. */
  change: (body: FlowBody) => void;
  undo: () => void;
  canUndo: ComputedRef<boolean>;
  setNode: (id: string, node: FlowNode) => void;
  add: (way: Way, kind: NodeKind) => void;
  show: (id: string) => void;
  nameOf: (id: string) => string;
  kindName: (kind: NodeKind) => string;
  languageName: (code: string) => string;
  wayName: (way: Way) => string;
  /** In the reader's language, by the node's own names of fields. */
  faultsOf: (id: string) => Record<string, string>;
}

const KEY: InjectionKey<FlowEditing> = Symbol("flow");

export function provideFlowEditing(body: Ref<FlowBody>, fields: Readonly<Ref<Readonly<Record<string, string>>>>): FlowEditing {
  const { t, te, locale } = useI18n();
  const hub = useHub();
  const calendarsLoaded = useCalendars();
  const sounds = shallowRef<SoundView[]>([]);
  onMounted(async () => {
    sounds.value = (await api.sounds().catch(() => ({ items: [] }))).items;
  });

  const byName = (a: Option, b: Option) => a.label.localeCompare(b.label, locale.value);
  const queues = computed(() => Object.values(hub.state?.queues ?? {}).map((queue) => ({ value: queue.id, label: queue.name })).toSorted(byName));
  const calendars = computed(() => (calendarsLoaded.items.value ?? []).map((calendar) => ({ value: calendar.id, label: calendar.name })).toSorted(byName));
  const usual = computed<Usual>(() => ({ queueId: queues.value[0]?.value ?? null, calendarId: calendars.value[0]?.value ?? null, language: body.value.language }));
  const shown = computed(() => outline(body.value));

  const past = ref<FlowBody[]>([]);
  function change(changed: FlowBody): void {
    past.value = [...past.value, body.value].slice(-50);
    body.value = changed;
  }
  function undo(): void {
    const before = past.value.at(-1);
    past.value = past.value.slice(0, -1);
    if (before) body.value = before;
  }

  const opened = ref<ReadonlySet<string>>(new Set());
  function toggle(id: string, open: boolean): void {
    opened.value = new Set(open ? [...opened.value, id] : [...opened.value].filter((each) => each !== id));
  }
  function show(id: string): void {
    void nextTick(() => {
      const card = document.querySelector<HTMLElement>(`[data-flow-node="${CSS.escape(id)}"] [data-flow-told]`);
      card?.focus({ preventScroll: true });
      card?.scrollIntoView({ block: "center" });
    });
  }
  function add(way: Way, kind: NodeKind): void {
    const { body: grown, id } = insert(body.value, way, newNode(kind, usual.value));
    change(grown);
    toggle(id, true);
    show(id);
  }

  const kindName = (kind: NodeKind) => t(`flow.kind_${kind}`);
  function nameOf(id: string): string {
    const node = body.value.nodes[id];
    if (!node) return "…";
    if (node.title) return node.title;
    const queue = "queue_id" in node && node.queue_id !== null ? queues.value.find((each) => each.value === node.queue_id)?.label : undefined;
    if (node.kind === "queue" && queue) return t("flow.queue_named", { name: queue });
    return kindName(node.kind);
  }
  const languageName = (code: string) => (te(`language.${code}`) ? t(`language.${code}`) : code);
  function wayName(way: Way): string {
    if (way.node === "") return t("flow.way_start");
    const node = body.value.nodes[way.node];
    if (node && "choices" in node && way.field.startsWith("choices.")) {
      const choice = node.choices[Number(way.field.split(".")[1])];
      if (!choice) return "…";
      const label = "language" in choice ? languageName(choice.language) : choice.label;
      return label ? t("flow.way_choice", { key: choice.key, label }) : t("flow.way_key", { key: choice.key });
    }
    return node ? t(`flow.way_${node.kind}_${way.field}`) : "…";
  }
  const faultsOf = (id: string) => faultsAt(fields.value, id);

  const editing: FlowEditing = {
    body, shown, queues, calendars, sounds, usual, here: ref(null), opened, toggle, change, undo, canUndo: computed(() => past.value.length > 0),
    setNode: (id, node) => (body.value = { ...body.value, nodes: { ...body.value.nodes, [id]: node } }),
    add, show, nameOf, kindName, languageName, wayName, faultsOf,
  };
  provide(KEY, editing);
  return editing;
}

export function useFlowEditing(): FlowEditing {
  const editing = inject(KEY);
  if (!editing) throw new Error("a part of the menu's editor stands outside it");
  return editing;
}
