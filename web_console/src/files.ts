/* What sort of file it is, for its sign and for how it is shown. */
import type { AttachmentView } from "./events";
import type { IconName } from "./ui/icons";

type File = Pick<AttachmentView, "media_type" | "name" | "state">;

// What the hub gives out to be shown in place; everything else it gives out to be saved.
const SHOWN = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);
const PLAYED = new Set(["audio/mpeg", "audio/ogg"]);

const BY_ENDING: Record<string, IconName> = {
  pdf: "document", doc: "document", docx: "document", odt: "document", rtf: "document", txt: "document", md: "document", pages: "document",
  xls: "sheet", xlsx: "sheet", ods: "sheet", csv: "sheet", numbers: "sheet",
  zip: "archive", rar: "archive", "7z": "archive", gz: "archive", tgz: "archive", tar: "archive",
  ics: "calendar", eml: "email", msg: "email", vcf: "person", p7s: "shield", p7m: "shield", asc: "shield",
};

export const isPicture = (file: File) => file.state === "stored" && SHOWN.has(file.media_type);
export const isSound = (file: File) => file.state === "stored" && PLAYED.has(file.media_type);

export function typeIcon(file: File): IconName {
  const ending = file.name.toLowerCase().split(".").at(-1) ?? "";
  const known = BY_ENDING[ending];
  if (known) return known;
  const [family] = file.media_type.split("/");
  if (family === "image") return "picture";
  if (family === "audio") return "sound";
  if (family === "video") return "video";
  if (file.media_type === "message/rfc822") return "email";
  return family === "text" ? "document" : "file";
}
