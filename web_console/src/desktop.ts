/*
 * Notices of the system's own, for what must be looked at while nobody looks at the page. The browser asks for leave once, at a
 * click; where it has no such notices (or the page is not on a secure address) there are none.
 */
export const canNotify = "Notification" in window && window.isSecureContext;

export async function askToNotify(): Promise<boolean> {
  return canNotify && (await Notification.requestPermission()) === "granted";
}

/** Says nothing while the page is in sight. A notice with the `tag` of an earlier one takes its place. */
export function notifyDesktop(tag: string, title: string, body: string, opened: () => void): void {
  if (!canNotify || Notification.permission !== "granted" || document.visibilityState === "visible") return;
  try {
    const notice = new Notification(title, { body, tag });
    notice.onclick = () => {
      window.focus();
      notice.close();
      opened();
    };
  } catch {
    // Some phones have the class, and only let a service worker use it.
  }
}
