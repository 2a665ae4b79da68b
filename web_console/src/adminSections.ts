/* The pages of the administration, and what each needs. The menus, the command palette and the router read them here. */
import type { Permission } from "./events";
import type { IconName } from "./ui/icons";

export interface AdminSection {
  name: string;
  icon: IconName;
  /** Any of these opens it; without, every supervisor may look. */
  needs?: readonly Permission[];
}

export const ADMIN_SECTIONS: readonly AdminSection[] = [
  { name: "organisation", icon: "settings", needs: ["settings.manage"] },
  { name: "channels", icon: "sms", needs: ["channels.manage"] },
  { name: "queues", icon: "inbox", needs: ["routing.manage"] },
  { name: "flows", icon: "phone", needs: ["channels.manage"] },
  { name: "rules", icon: "branch", needs: ["routing.manage"] },
  { name: "hours", icon: "clock", needs: ["routing.manage"] },
  { name: "escalation", icon: "ladder" },
  { name: "topics", icon: "tag", needs: ["settings.manage"] },
  { name: "fields", icon: "list", needs: ["settings.manage"] },
  { name: "imports", icon: "sheet", needs: ["customers.import", "customers.export"] },
  { name: "canned-replies", icon: "canned" },
  { name: "recordings", icon: "record", needs: ["settings.manage"] },
  { name: "surveys", icon: "star", needs: ["settings.manage"] },
  { name: "users", icon: "person", needs: ["users.manage"] },
  { name: "roles", icon: "shield", needs: ["roles.manage"] },
  { name: "teams", icon: "team", needs: ["teams.manage"] },
  { name: "targets", icon: "target", needs: ["targets.manage"] },
  { name: "alerts", icon: "bell", needs: ["targets.manage"] },
  { name: "skills", icon: "check" },
  { name: "api-keys", icon: "key", needs: ["keys.manage"] },
  { name: "audit", icon: "list", needs: ["audit.read"] },
  { name: "webhooks", icon: "forward", needs: ["webhooks.manage"] },
  { name: "retention", icon: "archive", needs: ["settings.manage"] },
];

/** Those that somebody may open. */
export function openSections(isSupervisor: boolean, may: (permission: Permission) => boolean): AdminSection[] {
  return ADMIN_SECTIONS.filter((section) => (section.needs ? section.needs.some(may) : isSupervisor));
}
