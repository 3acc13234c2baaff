import type { Api } from "../../feed/api";

export type Wanted = { ids: string[] } | { all: true };

export interface Outcome {
  applied: number;
  refused: number;
  /** Why nothing was tried, or null. */
  errorMessage: string | null;
}

interface Answer {
  results: { status: number }[];
}

export async function redrive(api: Api, wanted: Wanted): Promise<Outcome> {
  try {
    const { results } = await api.post<Answer>("/api/dead-letters/redrive", wanted);
    const refused = results.filter(({ status }) => status >= 400).length;
    return { applied: results.length - refused, refused, errorMessage: null };
  } catch (error) {
    return { applied: 0, refused: 0, errorMessage: error instanceof Error ? error.message : String(error) };
  }
}
