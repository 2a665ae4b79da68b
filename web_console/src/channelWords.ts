/* What a mail server or a provider said itself, in whatever language it speaks. */

// The hub's own words before theirs, in English.
const BEFORE =
  /^(?:The mail server said|The mail server did not accept the sign-in|The mail server's certificate is not valid for [^:]+|the server refused the sign-in|the server's certificate is not good|the folder cannot be opened|mails cannot be moved|TLS failed|the mail server|the bucket of recordings|Twilio): (.+)$/u;
// A mail server's answer begins with its number, whatever is said before it.
const ANSWER = /[:՝]\s*([2-5]\d\d .+)$/u;

/** What the hub's operating system calls it ("[Errno 111] …") tells an administrator nothing. */
const isPlain = (detail: string) => !/\bErrno\b|\b[A-Z]\w+Error\b/u.test(detail);

/** The far side's own words alone. */
export const answerOf = (detail: string) => (isPlain(detail) ? (BEFORE.exec(detail)?.[1] ?? ANSWER.exec(detail)?.[1] ?? "") : "");

/** The far side's own words in a channel's detail; to who reads English the hub's, too. */
export function theirWords(detail: string | null, locale: string): string {
  if (detail === null || !isPlain(detail)) return "";
  return locale === "en" ? detail : answerOf(detail);
}
