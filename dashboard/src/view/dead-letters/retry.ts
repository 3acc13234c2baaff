import { type Api, messageOf } from "../../feed/api";

export type Selection = { ids: string[] } | { all: true };

export interface Result {
  applied: number;
  refused: number;
  /** Why the request failed, or null. */
  errorMessage: string | null;
}

interface Answer {
  results: { status: number }[];
}

export async function retry(api: Api, selection: Selection): Promise<Result> {
  try {
    const { results } = await api.post<Answer>("/api/dead-letters/redrive", selection);
    const refused = results.filter(({ status }) => status >= 400).length;
    return { applied: results.length - refused, refused, errorMessage: null };
  } catch (error) {
    return { applied: 0, refused: 0, errorMessage: messageOf(error) };
  }
}
