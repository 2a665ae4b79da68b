/* What the hub says about a question that it refuses, field by field, with the names that these have on the screen. */
import { useI18n } from "vue-i18n";

import { ApiError } from "./client";
import { useWords } from "./words";

export function useFaultWords() {
  const { t, te } = useI18n();
  const { failure } = useWords();
  /** One line for each field; what has no name on the screen is said alone. */
  const faultsOf = (fields: Readonly<Record<string, string>>) =>
    Object.entries(fields).map(([field, said]) => (te(`report_field.${field}`) ? `${t(`report_field.${field}`)}: ${said}` : said));
  const refusal = (error: unknown) => (error instanceof ApiError && Object.keys(error.fields).length > 0 ? `${faultsOf(error.fields).join(". ")}.` : failure(error));
  return { faultsOf, refusal };
}
