/* Webhooks in the reader's words: what is told, how an endpoint is, and why a delivery did not arrive. */
import { useI18n } from "vue-i18n";

import type { WebhookDelivery, WebhookView } from "./events";
import type { IconName } from "./ui/icons";
import { eventKey } from "./webhooks";

type Tone = "plain" | "accent" | "good" | "warn" | "bad";

export function useWebhookWords() {
  const { t, te } = useI18n();

  const eventName = (name: string) => (te(`webhook_event.${eventKey(name)}`) ? t(`webhook_event.${eventKey(name)}`) : name);
  /** The host alone, or what somebody called it. */
  const title = (hook: Pick<WebhookView, "description" | "url">) => hook.description || hook.url.replace(/^https?:\/\//, "").replace(/[/?#].*$/, "");

  function health(hook: WebhookView): { tone: Tone; icon: IconName; words: string } {
    if (hook.health === "off") {
      if (hook.off_reason === null) return { tone: "plain", icon: "pause", words: t("webhooks.off") };
      return { tone: "bad", icon: "octagon", words: t(`webhooks.off_${hook.off_reason}`) };
    }
    if (hook.health === "failing") return { tone: "warn", icon: "warning", words: t("webhooks.failing") };
    return { tone: "good", icon: "check", words: t("webhooks.ok") };
  }

  const STATES: Record<WebhookDelivery["state"], { tone: Tone; icon: IconName }> = {
    waiting: { tone: "plain", icon: "clock" },
    sending: { tone: "accent", icon: "send" },
    delivered: { tone: "good", icon: "check" },
    dead: { tone: "bad", icon: "octagon" },
  };
  /** Waiting after a failure is something else than waiting for its turn. */
  function state(delivery: WebhookDelivery): { tone: Tone; icon: IconName; words: string } {
    if (delivery.state === "waiting" && delivery.attempts > 0) return { tone: "warn", icon: "reopen", words: t("webhook_state.again") };
    return { ...STATES[delivery.state], words: t(`webhook_state.${delivery.state}`) };
  }

  /** What was answered, or why nothing was. */
  function outcome(of: { status: number | null; code: string | null }): string {
    if (of.status !== null) return t("webhooks.answered", { status: of.status });
    if (of.code === null) return "–";
    return te(`webhook_why.${of.code}`) ? t(`webhook_why.${of.code}`) : of.code;
  }

  return { eventName, title, health, state, outcome };
}
