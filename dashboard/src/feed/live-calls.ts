/** The live calls, each by its highest version. Without I/O and clock, so that tests can try every order. */

import type { Call, Changes, Departure, UpdateFrame } from "../contracts";

/** The number of ended calls that are remembered, so that a late copy does not bring them back. */
export const MAX_ENDED_IDS = 5_000;

interface Load {
  seen: Set<string>;
  /** Calls that updates delivered during the read. A page without them may be older. */
  updated: Set<string>;
  hadDoubt: boolean;
  /** The first page's position. The socket delivers everything after it. */
  position: number | null;
}

export class LiveCalls {
  readonly live = new Map<string, Call>();
  /** True if a call belongs to the subscribed topics. The last update of a transferred call goes to its old queue, too. */
  follows: (call: Call) => boolean = () => true;
  /** Rises when a live call is added, changed or removed. */
  revision = 0;
  /** The lowest possible position of each live call. A snapshot from before it does not prove that the call ended. */
  private readonly positionOf = new Map<string, number>();
  private readonly ended = new Map<string, number>();
  /** The position of the last complete snapshot. Calls that it lacked were not live then. */
  private completeAt = Number.NEGATIVE_INFINITY;
  private load: Load | null = null;
  private needed = true;
  private doubt = false;
  /** Versions that a read delivered before any frame. If they stay here, the feed lags. */
  private readonly aheadOfFeed = new Map<string, number>();

  /** True until a complete snapshot was read after the last gap. Until then, calls may be missing. */
  get needsSnapshot(): boolean {
    return this.needed;
  }

  /**
   * True if a frame contained a call that the last snapshot lacked, and may be older than the snapshot: a frame's
   * position is where to resume, and its calls may be newer. Another snapshot decides.
   */
  get hasDoubt(): boolean {
    return this.doubt;
  }

  /** The position of the last complete snapshot. */
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
      this.load?.updated.add(call.id);
      if (isUnknown && call.status !== "ended" && frame.position <= this.completeAt) this.doubt = true;
    }
    for (const gone of frame.left ?? []) {
      this.confirm(gone);
      this.depart(gone.id, gone.version);
    }
  }

  /** Called after a gap in the feed. Reads in progress began before it, so they do not end it. */
  markGap(): void {
    this.needed = true;
    this.load = null;
  }

  beginSnapshot(): void {
    this.load = { seen: new Set(), updated: new Set(), hadDoubt: this.doubt, position: null };
    this.doubt = false;
    this.aheadOfFeed.clear();
  }

  /** Applies a page at once. Returns false if a gap made the snapshot useless. */
  addPage(calls: readonly Call[], position: number): boolean {
    for (const call of calls) {
      if (this.merge(call, position)) this.aheadOfFeed.set(call.id, call.version);
      this.load?.seen.add(call.id);
    }
    if (this.load === null) return false;
    this.load.position ??= position;
    return true;
  }

  /** Removes calls that the snapshot lacked, unless an update is newer. Returns false if a gap made the snapshot useless. */
  completeSnapshot(): boolean {
    const load = this.load;
    if (load === null || load.position === null) return false;
    this.doubt = false; // Calls that caused a doubt during the read are in the snapshot, or cause it again below.
    for (const [id, { version }] of this.live) {
      if (load.seen.has(id) || (this.positionOf.get(id) ?? 0) > load.position) continue;
      if (load.updated.has(id)) {
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

  /** Applies a poll's answer, which contains every change since the last read. */
  applyChanges(changes: Changes): void {
    this.aheadOfFeed.clear();
    for (const call of changes.calls) {
      // A snapshot that is read after this poll may remove its calls, whatever their positions.
      if (this.merge(call, Number.NEGATIVE_INFINITY)) this.aheadOfFeed.set(call.id, call.version);
    }
    for (const { id, version } of changes.left) this.depart(id, version);
  }

  abandonSnapshot(): void {
    if (this.load?.hadDoubt) this.doubt = true;
    this.load = null;
  }

  /** The number of changes that a read delivered and the feed did not. */
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
      this.positionOf.set(call.id, position);
    }
    this.revision++;
    return true;
  }

  /** The call moved to a queue outside the topics. If it returns, it may have the same version. */
  private depart(id: string, version: number): void {
    if (this.versionOf(id) > version) return;
    this.drop(id, version - 1);
    this.revision++;
  }

  private drop(id: string, version: number): void {
    this.live.delete(id);
    this.positionOf.delete(id);
    this.ended.delete(id);
    this.ended.set(id, version);
    if (this.ended.size <= MAX_ENDED_IDS) return;
    const oldest = this.ended.keys().next().value;
    if (oldest !== undefined) this.ended.delete(oldest);
  }
}
