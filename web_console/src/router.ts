/* The addresses of the console. Any of them may be opened directly: the hub serves the page for all of them. */
import { createRouter, createWebHistory, type RouteLocationNormalized } from "vue-router";

import { ADMIN_SECTIONS, openSections } from "./adminSections";
import type { Permission } from "./events";
import { useHub } from "./hub";
import { loadWelcome, welcome } from "./welcome";
import Workspace from "./views/Workspace.vue";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/sign-in", name: "sign-in", component: () => import("./views/SignIn.vue"), meta: { open: true } },
    // Doors: for whoever is nobody yet, and whoever is somebody already.
    { path: "/forgotten", name: "forgotten", component: () => import("./views/ForgottenPassword.vue"), meta: { door: true } },
    { path: "/join", name: "join", component: () => import("./views/AccessLink.vue"), meta: { door: true } },
    { path: "/new-password", name: "new-password", component: () => import("./views/AccessLink.vue"), meta: { door: true } },
    { path: "/set-up", name: "set-up", component: () => import("./views/SetUp.vue"), meta: { door: true } },
    { path: "/", name: "home", component: Workspace },
    { path: "/conversations/:id(\\d+)?", name: "conversations", component: Workspace },
    { path: "/customers/:customerId(\\d+)", name: "customers", component: Workspace },
    { path: "/search", name: "search", component: () => import("./views/SearchPage.vue") },
    // What agents see of their colleagues; for supervisors the board has all of it.
    { path: "/team", name: "team", component: () => import("./views/Team.vue"), beforeEnter: () => (useHub().isSupervisor ? { name: "board-waiting" } : true) },
    {
      path: "/board",
      component: () => import("./views/Board.vue"),
      meta: { role: "supervisor" },
      children: [
        { path: "", name: "board", component: () => import("./views/BoardNumbers.vue") },
        { path: "waiting", name: "board-waiting", component: () => import("./views/BoardWaiting.vue") },
      ],
    },
    { path: "/wall", name: "wall", component: () => import("./views/Wall.vue"), meta: { role: "supervisor", bare: true } },
    { path: "/calls", name: "calls", component: () => import("./views/Calls.vue"), meta: { role: "supervisor" } },
    { path: "/surveys", name: "surveys", component: () => import("./views/Surveys.vue"), meta: { role: "supervisor" } },
    {
      path: "/reports",
      component: () => import("./views/Reports.vue"),
      children: [
        { path: "", name: "reports", component: () => import("./views/ReportFigures.vue") },
        { path: "states", name: "report-states", component: () => import("./views/ReportStates.vue") },
        { path: "load", name: "report-load", component: () => import("./views/ReportLoad.vue"), meta: { role: "supervisor", needs: "reports.read" } },
        { path: "leaders", name: "report-leaders", component: () => import("./views/ReportLeaders.vue") },
        { path: "what-if", name: "what-if", component: () => import("./views/StaffingWhatIf.vue"), meta: { role: "supervisor" } },
        { path: "forecast", name: "forecast", component: () => import("./views/StaffingForecast.vue"), meta: { role: "supervisor" } },
        { path: "shifts", name: "shifts", component: () => import("./views/Shifts.vue") },
        { path: "adherence", name: "adherence", component: () => import("./views/Adherence.vue") },
        { path: "mail", name: "report-schedules", component: () => import("./views/ReportSchedules.vue"), meta: { role: "supervisor", needs: "reports.schedule" } },
        { path: "mail/new", name: "report-new-schedule", component: () => import("./views/ReportSchedule.vue"), meta: { role: "supervisor", needs: "reports.schedule" } },
        { path: "mail/:scheduleId(\\d+)", name: "report-schedule", component: () => import("./views/ReportSchedule.vue"), meta: { role: "supervisor", needs: "reports.schedule" } },
      ],
    },
    { path: "/inbox", name: "inbox", component: () => import("./views/Inbox.vue") },
    { path: "/tasks", name: "tasks", component: () => import("./views/Tasks.vue") },
    { path: "/account", name: "account", component: () => import("./views/Account.vue") },
    {
      path: "/account/canned-replies",
      component: () => import("./views/AccountPage.vue"),
      children: [
        { path: "", name: "own-canned-replies", component: () => import("./views/CannedReplies.vue"), props: { personal: true } },
        { path: "new", name: "own-new-canned-reply", component: () => import("./views/CannedReplyPage.vue"), props: { personal: true } },
        { path: ":replyId(\\d+)", name: "own-canned-reply", component: () => import("./views/CannedReplyPage.vue"), props: { personal: true } },
      ],
    },
    {
      path: "/admin",
      component: () => import("./views/Admin.vue"),
      meta: { role: "supervisor" },
      children: [
        // Where it leads depends on who is there, which a redirect does not wait for: the guard below says.
        { path: "", name: "admin", component: () => import("./views/NotFound.vue") },
        { path: "organisation", name: "admin-organisation", component: () => import("./views/AdminOrganisation.vue") },
        { path: "retention", name: "admin-retention", component: () => import("./views/AdminRetention.vue") },
        { path: "data-requests", name: "admin-data-requests", component: () => import("./views/AdminDataRequests.vue") },
        { path: "roles", name: "admin-roles", component: () => import("./views/AdminRoles.vue") },
        { path: "roles/new", name: "admin-new-role", component: () => import("./views/AdminRole.vue") },
        { path: "roles/:roleId(\\d+)", name: "admin-role", component: () => import("./views/AdminRole.vue") },
        { path: "channels", name: "admin-channels", component: () => import("./views/AdminChannels.vue") },
        { path: "channels/:channelId([a-z0-9-]+)/widget", name: "admin-widget", component: () => import("./views/AdminWidget.vue") },
        { path: "queues", name: "admin-queues", component: () => import("./views/AdminQueues.vue") },
        { path: "queues/new", name: "admin-new-queue", component: () => import("./views/AdminQueue.vue") },
        { path: "queues/:queueId(\\d+)", name: "admin-queue", component: () => import("./views/AdminQueue.vue") },
        { path: "hours", name: "admin-hours", component: () => import("./views/AdminHours.vue") },
        { path: "hours/new", name: "admin-new-calendar", component: () => import("./views/AdminCalendar.vue") },
        { path: "hours/:calendarId(\\d+)", name: "admin-calendar", component: () => import("./views/AdminCalendar.vue") },
        { path: "rules", name: "admin-rules", component: () => import("./views/AdminRules.vue") },
        { path: "flows", name: "admin-flows", component: () => import("./views/AdminFlows.vue") },
        { path: "flows/new", name: "admin-new-flow", component: () => import("./views/AdminFlow.vue") },
        { path: "flows/:flowId(\\d+)", name: "admin-flow", component: () => import("./views/AdminFlow.vue") },
        { path: "skills", name: "admin-skills", component: () => import("./views/AdminSkills.vue"), meta: { role: "supervisor", wide: true } },
        { path: "escalation", name: "admin-escalation", component: () => import("./views/AdminEscalation.vue"), meta: { role: "supervisor" } },
        { path: "escalation/new", name: "admin-new-policy", component: () => import("./views/AdminPolicy.vue"), meta: { needs: "routing.manage" } },
        { path: "escalation/:policyId(\\d+)", name: "admin-policy", component: () => import("./views/AdminPolicy.vue"), meta: { role: "supervisor" } },
        { path: "topics", name: "admin-topics", component: () => import("./views/AdminTopics.vue") },
        { path: "fields", name: "admin-fields", component: () => import("./views/AdminFields.vue") },
        { path: "canned-replies", name: "admin-canned-replies", component: () => import("./views/CannedReplies.vue"), props: { personal: false }, meta: { role: "supervisor" } },
        { path: "canned-replies/new", name: "admin-new-canned-reply", component: () => import("./views/CannedReplyPage.vue"), props: { personal: false }, meta: { role: "supervisor" } },
        { path: "canned-replies/:replyId(\\d+)", name: "admin-canned-reply", component: () => import("./views/CannedReplyPage.vue"), props: { personal: false }, meta: { role: "supervisor" } },
        { path: "imports", name: "admin-imports", component: () => import("./views/AdminImports.vue") },
        { path: "imports/:importId(\\d+)", name: "admin-import", component: () => import("./views/AdminImport.vue") },
        { path: "recordings", name: "admin-recordings", component: () => import("./views/AdminRecordings.vue") },
        { path: "surveys", name: "admin-surveys", component: () => import("./views/AdminSurveys.vue") },
        { path: "surveys/:queueId(\\d+)", name: "admin-survey", component: () => import("./views/AdminSurvey.vue") },
        { path: "teams", name: "admin-teams", component: () => import("./views/AdminTeams.vue") },
        { path: "teams/new", name: "admin-new-team", component: () => import("./views/AdminTeam.vue") },
        { path: "teams/:teamId(\\d+)", name: "admin-team", component: () => import("./views/AdminTeam.vue") },
        { path: "targets", name: "admin-targets", component: () => import("./views/AdminTargets.vue") },
        { path: "alerts", name: "admin-alerts", component: () => import("./views/AdminAlerts.vue") },
        { path: "alerts/new", name: "admin-new-alert", component: () => import("./views/AdminAlert.vue") },
        { path: "alerts/:ruleId(\\d+)", name: "admin-alert", component: () => import("./views/AdminAlert.vue") },
        { path: "users", name: "admin-users", component: () => import("./views/AdminUsers.vue") },
        { path: "audit", name: "admin-audit", component: () => import("./views/AdminAudit.vue") },
        { path: "api-keys", name: "admin-api-keys", component: () => import("./views/AdminApiKeys.vue") },
        { path: "webhooks", name: "admin-webhooks", component: () => import("./views/AdminWebhooks.vue") },
        { path: "webhooks/new", name: "admin-new-webhook", component: () => import("./views/AdminWebhook.vue") },
        { path: "webhooks/:webhookId(\\d+)", name: "admin-webhook", component: () => import("./views/AdminWebhook.vue") },
      ],
    },
    { path: "/:rest(.*)*", name: "not-found", component: () => import("./views/NotFound.vue") },
  ],
});

router.beforeEach(async (to) => {
  const hub = useHub();
  if (hub.session === "unknown") await hub.resume();
  if (to.meta["door"]) return true;
  if (hub.session === "out") await loadWelcome();
  if (hub.session === "out" && welcome.value?.needs_set_up) return { name: "set-up" };
  if (to.meta["open"]) return hub.session === "in" ? backTo(to.query["next"]) : true;
  if (hub.session === "out") return { name: "sign-in", query: { next: to.fullPath } };
  if (hub.isScreen && to.name !== "wall") return { name: "wall" };
  // A supervisor's day begins with the floor; everybody else's, an administrator's of a small shop too, with the work.
  if (to.name === "home") return hub.user?.role === "supervisor" ? "/board" : "/conversations";
  if (to.name === "admin") {
    const open = openSections(hub.isSupervisor, hub.may);
    const first = open.find((section) => section.needs && section.name !== "organisation") ?? open.find((section) => section.name === "skills") ?? open[0];
    if (first) return { path: `/admin/${first.name}`, replace: true };
  }
  const needs = neededFor(to);
  // What a permission opens is opened by it alone: a role that sees what agents see may bring customers in by file.
  const mayOpen = needs.length > 0 ? needs.some(hub.may) : to.meta["role"] !== "supervisor" || hub.isSupervisor;
  if (hub.session === "in" && !mayOpen) return { name: "not-found", params: { rest: ["admin"] } };
  return true;
});

/** Of which permissions one is needed: what the route says itself, else what its part of the administration needs. */
function neededFor(to: RouteLocationNormalized): readonly Permission[] {
  if (to.meta["needs"]) return [to.meta["needs"] as Permission];
  const [, place, name] = to.path.split("/");
  return place === "admin" ? (ADMIN_SECTIONS.find((section) => section.name === name)?.needs ?? []) : [];
}

/** Where somebody was going before the sign-in; only ever an address of this page. */
export function backTo(next: unknown): string {
  return typeof next === "string" && /^\/(?!\/)/.test(next) ? next : "/";
}
