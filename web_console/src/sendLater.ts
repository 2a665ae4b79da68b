/* When a message may go out: what is offered, in the organisation's clock time. Pure: zone and now are arguments. */
import { type ParkChoice, parkChoices } from "./parking";

/** As the hub rules it. */
export const LONGEST_DAYS = 366;

export type SendChoice = ParkChoice;

/** In an hour, this afternoon if it is far enough, tomorrow at nine, Monday at nine. */
export const sendChoices = (now: number, timeZone: string): SendChoice[] => parkChoices(now, timeZone);
