/* The pages of the administration, and what each needs. The menus, the command palette and the router read them here. */
import type { Permission } from "./events";
import type { IconName } from "./ui/icons";

/** What of the house a page is about; the menu has a heading for each. */
export type AdminGroup = "ways" | "work" | "people" | "quality" | "house";

export interface AdminSection {
  name: string;
  group: AdminGroup;
  icon: IconName;
  /** Any of these opens it; without, every supervisor may look. */
  needs?: readonly Permission[];
}

/** In the order of the menu, group by group: what is changed daily before what is set up once. */
export const ADMIN_SECTIONS: readonly AdminSection[] = [
  { name: "channels", group: "ways", icon: "sms", needs: ["channels.manage"] },
  { name: "flows", group: "ways", icon: "phone", needs: ["channels.manage"] },
  { name: "queues", group: "ways", icon: "inbox", needs: ["routing.manage"] },
  { name: "rules", group: "ways", icon: "branch", needs: ["routing.manage"] },
  { name: "hours", group: "ways", icon: "clock", needs: ["routing.manage"] },
  { name: "escalation", group: "ways", icon: "ladder" },
  { name: "users", group: "people", icon: "person", needs: ["users.manage"] },
  { name: "teams", group: "people", icon: "team", needs: ["teams.manage"] },
  { name: "skills", group: "people", icon: "check" },
  { name: "roles", group: "people", icon: "shield", needs: ["roles.manage"] },
  { name: "topics", group: "work", icon: "tag", needs: ["settings.manage"] },
  { name: "fields", group: "work", icon: "list", needs: ["settings.manage"] },
  { name: "canned-replies", group: "work", icon: "canned" },
  { name: "imports", group: "work", icon: "sheet", needs: ["customers.import", "customers.export"] },
  { name: "targets", group: "quality", icon: "target", needs: ["targets.manage"] },
  { name: "alerts", group: "quality", icon: "bell", needs: ["targets.manage"] },
  { name: "surveys", group: "quality", icon: "star", needs: ["settings.manage"] },
  { name: "recordings", group: "quality", icon: "record", needs: ["settings.manage"] },
  { name: "organisation", group: "house", icon: "settings", needs: ["settings.manage"] },
  { name: "retention", group: "house", icon: "archive", needs: ["settings.manage"] },
  { name: "data-requests", group: "house", icon: "shield", needs: ["customers.privacy"] },
  { name: "webhooks", group: "house", icon: "forward", needs: ["webhooks.manage"] },
  { name: "api-keys", group: "house", icon: "key", needs: ["keys.manage"] },
  { name: "audit", group: "house", icon: "list", needs: ["audit.read"] },
];

/** Those that somebody may open. */
export function openSections(isSupervisor: boolean, may: (permission: Permission) => boolean): AdminSection[] {
  return ADMIN_SECTIONS.filter((section) => (section.needs ? section.needs.some(may) : isSupervisor));
}

/** The same under their headings; a heading of nothing is none. */
export function groupSections(sections: readonly AdminSection[]): { group: AdminGroup; sections: AdminSection[] }[] {
  const groups: { group: AdminGroup; sections: AdminSection[] }[] = [];
  for (const section of sections) {
    const last = groups.at(-1);
    if (last?.group === section.group) last.sections.push(section);
    else groups.push({ group: section.group, sections: [section] });
  }
  return groups;
}
