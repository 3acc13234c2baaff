/** The picture of the calls: live calls by highest version. No I/O and no clock, so that every order can be tried. */

import type { Call, Changes, Departure, UpdateFrame } from "../contracts";

/** Which past calls are remembered so that a late copy cannot bring them back; older ones are let go. */
export const MAX_ENDED_IDS = 5_000;

interface Load {
  seen: Set<string>;
  /** What updates told meanwhile: a page that lacks it may have been read before it. */
  told: Set<string>;
  hadDoubt: boolean;
  /** The first page's position: all that happened after it comes by the socket too. */
  position: number | null;
}

export class LiveCalls {
  readonly live = new Map<string, Call>();
  /** Whether a call belongs to our topics: a transfer is told to the queue that loses the call, too, and then no more. */
  follows: (call: Call) => boolean = () => true;
  /** Rises whenever a live call is added, changed or removed. */
  revision = 0;
  /** The position with which each live view was told, at least: a snapshot from before it cannot deny the call. */
  private readonly toldAt = new Map<string, number>();
  private readonly ended = new Map<string, number>();
  /** The position of the last whole snapshot: what it did not name was not live then. */
  private completeAt = Number.NEGATIVE_INFINITY;
  private load: Load | null = null;
  private needed = true;
  private doubt = false;
  /** What a read taught that no frame had told yet. Whatever stays here shows a feed that lags. */
  private readonly aheadOfFeed = new Map<string, number>();

  /** True until a whole snapshot was read after the last gap: before that the calls may lack calls. */
  get needsSnapshot(): boolean {
    return this.needed;
  }

  /**
   * True where a frame named a call that the last snapshot did not, without proof of being newer: frames carry the
   * position to resume from, which may be older than what they tell. Another snapshot decides.
   */
  get hasDoubt(): boolean {
    return this.doubt;
  }

  /** The position of the last whole snapshot. */
  get wholeAt(): number {
    return this.completeAt;
  }

  versionOf(callId: string): number {
    return this.live.get(callId)?.version ?? this.ended.get(callId) ?? -1;
  }

  applyUpdate(frame: UpdateFrame): void {
    for (const call of frame.calls) {
      this.confirm(call);
      const isUnknown = !this.live.has(call.id);
      if (!this.merge(call, frame.position)) continue;
      this.load?.told.add(call.id);
      if (isUnknown && call.status !== "ended" && frame.position <= this.completeAt) this.doubt = true;
    }
    for (const gone of frame.left ?? []) {
      this.confirm(gone);
      this.depart(gone.id, gone.version);
    }
  }

  /** A gap in the feed: reads that are under way began before it and cannot heal it. */
  markGap(): void {
    this.needed = true;
    this.load = null;
  }

  beginSnapshot(): void {
    this.load = { seen: new Set(), told: new Set(), hadDoubt: this.doubt, position: null };
    this.doubt = false;
    this.aheadOfFeed.clear();
  }

  /** Pages are facts about single calls, so each is applied as it comes; answers false when the load was overtaken. */
  addPage(calls: readonly Call[], position: number): boolean {
    for (const call of calls) {
      if (this.merge(call, position)) this.aheadOfFeed.set(call.id, call.version);
      this.load?.seen.add(call.id);
    }
    if (this.load === null) return false;
    this.load.position ??= position;
    return true;
  }

  /** Drops what the whole snapshot did not name and was not told after it; false when a gap overtook it. */
  completeSnapshot(): boolean {
    const load = this.load;
    if (load === null || load.position === null) return false;
    this.doubt = false; // Whatever raised it during the read is either in the snapshot or raises it again below.
    for (const [id, { version }] of this.live) {
      if (load.seen.has(id) || (this.toldAt.get(id) ?? 0) > load.position) continue;
      if (load.told.has(id)) {
        this.doubt = true;
        continue;
      }
      this.drop(id, version);
      this.aheadOfFeed.set(id, version + 1);
      this.revision++;
    }
    this.completeAt = load.position;
    this.load = null;
    this.needed = false;
    return true;
  }

  /** What a poll told: complete since the last read, so no absence has to be concluded from it. */
  applyChanges(changes: Changes): void {
    this.aheadOfFeed.clear();
    for (const call of changes.calls) {
      // A snapshot that is read after this poll may deny what the poll told, whatever their positions.
      if (this.merge(call, Number.NEGATIVE_INFINITY)) this.aheadOfFeed.set(call.id, call.version);
    }
    for (const { id, version } of changes.left) this.depart(id, version);
  }

  abandonSnapshot(): void {
    if (this.load?.hadDoubt) this.doubt = true;
    this.load = null;
  }

  /** How many changes a read has shown that the feed has still not told. */
  get aheadOfFeedCount(): number {
    return this.aheadOfFeed.size;
  }

  private confirm(call: Departure): void {
    const version = this.aheadOfFeed.get(call.id);
    if (version !== undefined && call.version >= version) this.aheadOfFeed.delete(call.id);
  }

  private merge(call: Call, position: number): boolean {
    if (!this.follows(call)) {
      this.depart(call.id, call.version);
      return false;
    }
    if (call.version <= this.versionOf(call.id)) return false;
    if (call.status === "ended") {
      this.drop(call.id, call.version);
    } else {
      this.ended.delete(call.id);
      this.live.set(call.id, call);
      this.toldAt.set(call.id, position);
    }
    this.revision++;
    return true;
  }

  /** It went on to a queue that is not ours. Should it come back, the view that left may be the one that returns. */
  private depart(id: string, version: number): void {
    if (this.versionOf(id) > version) return;
    this.drop(id, version - 1);
    this.revision++;
  }

  private drop(id: string, version: number): void {
    this.live.delete(id);
    this.toldAt.delete(id);
    this.ended.delete(id);
    this.ended.set(id, version);
    if (this.ended.size <= MAX_ENDED_IDS) return;
    const oldest = this.ended.keys().next().value;
    if (oldest !== undefined) this.ended.delete(oldest);
  }
}
