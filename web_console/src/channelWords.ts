/** The far side's own words. What the hub's operating system calls it ("[Errno 111] …") tells an administrator nothing. */
export const theirWords = (detail: string | null) => (detail === null || /\bErrno\b|\b[A-Z]\w+Error\b/u.test(detail) ? "" : detail);
