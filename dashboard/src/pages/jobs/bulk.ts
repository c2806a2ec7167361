/** The same act on many, one request after the other: there is no route for many at once. */

/** Requests at a time: a person waits, but the server has others to serve. */
const AT_ONCE = 4;
/** Most that one act is for; the next one takes the rest. */
export const MAX_ROWS = 5_000;

export interface Tally {
  done: number;
  /** Ids that were refused, with the reason. */
  refused: { id: string; error: unknown }[];
}

/** Ids to act on. */
export interface Gathered {
  ids: string[];
  /** `true`: there are more. */
  isCut: boolean;
}

/** Gathers the ids of everything that fits; beyond `most` it stops, and says so. */
export async function gather<Row extends { id: string }>(
  pages: AsyncIterable<Row[]>,
  fits: (row: Row) => boolean,
  most: number,
): Promise<Gathered> {
  const ids: string[] = [];
  for await (const rows of pages) {
    ids.push(...rows.filter(fits).map(({ id }) => id));
    if (ids.length > most) return { ids: ids.slice(0, most), isCut: true };
  }
  return { ids, isCut: false };
}

/** Acts on each id. One that is refused stops nothing; an abort lets those under way end, and begins no other. */
export async function runEach(
  ids: string[],
  run: (id: string) => Promise<unknown>,
  onProgress: (tally: Tally) => void,
  signal: AbortSignal,
): Promise<Tally> {
  const tally: Tally = { done: 0, refused: [] };
  const waiting = [...ids];
  async function work() {
    for (let id = waiting.shift(); id !== undefined && !signal.aborted; id = waiting.shift()) {
      try {
        await run(id);
        tally.done += 1;
      } catch (error) {
        tally.refused.push({ id, error });
      }
      onProgress({ done: tally.done, refused: [...tally.refused] });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return tally;
}
