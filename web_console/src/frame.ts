/*
 * How tall the frame of a mail's HTML should be. Nobody can look inside it, so that is guessed by what the mail says; too little
 * can be scrolled and too much is white, so the guess is a tight one, and the reader can pull it larger.
 */

// As the hub's own sheet for mails has it (14 px / 1.5), at the width of a mail in the timeline.
const LINE_PX = 21;
const LINE_LETTERS = 95;
// The margins of its first and last paragraph, and what the frame has around it.
const AROUND_PX = 60;
// A logo of a signature is rarely larger than this, a photograph never so small.
const LOGO_BYTES = 20_000;
const LOGO_PX = 60;
const PICTURE_PX = 220;
// Of a picture from the internet nothing is known, and most of them are ornaments.
const REMOTE_PX = 90;
const LEAST_PX = 96;
const MOST_PX = 460;

/** In px. `pictures`: the sizes in bytes of those that came with it; `remote`: how many are loaded from elsewhere. */
export function guessedHeight(text: string, pictures: readonly number[], remote: number): number {
  const lines = text.trim().split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE_LETTERS)), 0);
  const shown = pictures.reduce((sum, bytes) => sum + (bytes <= LOGO_BYTES ? LOGO_PX : PICTURE_PX), remote * REMOTE_PX);
  return Math.min(MOST_PX, Math.max(LEAST_PX, AROUND_PX + lines * LINE_PX + shown));
}
