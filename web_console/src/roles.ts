/* Roles, built in and of one's own: how permissions are grouped for people, and which role somebody may be given. */
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { rolesApi } from "./client";
import type { Permission, Role, Roles } from "./events";
import { useHub } from "./hub";
import { useLoaded } from "./loaded";

export const GROUPS = ["work", "customers", "shared", "floor", "house"] as const;
type Group = (typeof GROUPS)[number];

/** Every permission has its place, in the order of the list. */
export const GROUP_OF: Readonly<Record<Permission, Group>> = {
  "conversations.take_part": "work",
  "conversations.merge": "work",
  "conversations.bulk": "work",
  "customers.change": "customers",
  "customers.merge": "customers",
  "customers.export": "customers",
  "customers.import": "customers",
  "customers.privacy": "customers",
  "canned.share": "shared",
  "views.share": "shared",
  "calls.listen": "floor",
  "recordings.manage": "floor",
  "board.act": "floor",
  "reports.read": "floor",
  "reports.schedule": "floor",
  "people.plan": "floor",
  "users.manage": "house",
  "roles.manage": "house",
  "teams.manage": "house",
  "channels.manage": "house",
  "routing.manage": "house",
  "targets.manage": "house",
  "settings.manage": "house",
  "keys.manage": "house",
  "webhooks.manage": "house",
  "audit.read": "house",
};

export const permissionsOf = (group: Group): Permission[] => (Object.keys(GROUP_OF) as Permission[]).filter((each) => GROUP_OF[each] === group);
/** The key of its words. */
export const wordOf = (permission: Permission): string => permission.replace(".", "_");

const ORDER: readonly Role[] = ["agent", "supervisor", "admin"];

/** As the hub rules it: nobody gives what they have not. */
export function mayGive(own: { role: Role; permissions: ReadonlySet<Permission> }, given: { base: Role; permissions: readonly Permission[] }): boolean {
  return ORDER.indexOf(given.base) <= ORDER.indexOf(own.role) && given.permissions.every((each) => own.permissions.has(each));
}

/** A role as one value of a list: "agent", or "own:7". */
export const choiceOf = (given: { role: Role; role_id?: number | null }): string => (given.role_id ? `own:${given.role_id}` : given.role);

export function useRoleChoices() {
  const { t } = useI18n();
  const hub = useHub();
  const { items, reload } = useLoaded<Roles>(async () => [await rolesApi.roles()]);
  const roles = computed(() => items.value?.[0] ?? null);

  /** Those that the viewer may give, and the one that is held already. */
  function options(held: string): { value: string; label: string }[] {
    const own = { role: hub.user?.role ?? "agent", permissions: hub.permissions };
    const all = [
      ...(roles.value?.built_in ?? []).map((each) => ({ value: each.role as string, label: t(`role.${each.role}`), base: each.role, permissions: each.permissions })),
      ...(roles.value?.own ?? []).map((each) => ({ value: `own:${each.id}`, label: each.name, base: each.base, permissions: each.permissions })),
    ];
    return all.filter((each) => each.value === held || mayGive(own, each)).map(({ value, label }) => ({ value, label }));
  }

  /** What is sent for a choice. */
  function sent(choice: string): { role: Role | null; role_id: number | null } {
    return choice.startsWith("own:") ? { role: null, role_id: Number(choice.slice(4)) } : { role: choice as Role, role_id: null };
  }

  /** What it lets somebody see. */
  function hint(choice: string): string {
    const own = roles.value?.own.find((each) => `own:${each.id}` === choice);
    return own ? t("roles.sees_as", { role: t(`role.${own.base}`), n: own.permissions.length }, own.permissions.length) : t(`users.role_${choice}`);
  }

  return { roles, reload, options, sent, hint };
}
