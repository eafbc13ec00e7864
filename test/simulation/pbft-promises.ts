/**
 * What honest PBFT replicas have promised over all their lives, and what they may not say after it. Each rule is one that agreement rests on (PBFT §4.2,
 * §4.4, and silence after a lost log). That no place has two digests is every engine's rule: words.ts.
 */
import { decodeMessage, type NewView, type ViewChange } from '../../consensus/pbft/messages.ts';
import { type Digest, toHex } from '../../node/format/index.ts';
import type { Promises } from './words.ts';

interface Place {
  readonly height: number;
  readonly view: number;
  readonly digest: string;
}

/** What one node has said since its vote log began. */
interface Said {
  /** Highest view that a view change of its promised to stay in. */
  promised: number;
  /** Its commit vote of the highest view, by height: a block it has prepared. */
  readonly prepared: Map<number, Place>;
  /** Highest height it has voted at. */
  height: number;
  committed: number;
  /** Heights up to here may hold votes that a lost log knew of. */
  lostThrough: number;
}

/** Heights of prepared blocks that are remembered below the newest. */
const HEIGHTS_REMEMBERED = 8;

export class PbftPromises implements Promises {
  readonly #said = new Map<string, Said>();
  /** By view: what each new view told of binds the height above its base to; undefined binds it to nothing. */
  readonly #bindings = new Map<number, { readonly base: number; readonly digest: string | undefined }[]>();

  /** What it promised may be forgotten; what it may have voted on must not be voted on again. */
  logLost(node: string): void {
    const said = this.#of(node);
    said.lostThrough = said.height;
    said.promised = 0;
    said.prepared.clear();
  }

  hear(from: string, honest: boolean, frame: Uint8Array, final: number): string | undefined {
    const message = decodeMessage(frame);
    if (message.kind === 'newView') this.#noteBinding(message);
    if (!honest || message.kind === 'committed' || message.node !== from) return undefined;
    if (message.kind === 'viewChange') return this.#viewChangeFault(message);
    if (message.kind === 'prepare' || message.kind === 'commit' || message.kind === 'prePrepare' || message.kind === 'checkpoint')
      return this.#voteFault(message.kind, message.node, { ...message, digest: toHex(message.digest) }, final);
    return undefined;
  }

  committedAt(node: string): number {
    return this.#of(node).committed;
  }

  #of(node: string): Said {
    let said = this.#said.get(node);
    if (!said) {
      said = { promised: 0, prepared: new Map(), height: 0, committed: 0, lostThrough: 0 };
      this.#said.set(node, said);
    }
    return said;
  }

  #voteFault(phase: string, node: string, { height, view, digest }: Place, final: number): string | undefined {
    const place = `${node} ${phase} ${height} ${view}`;
    if (phase === 'checkpoint') return undefined;
    if (height > final + 1) return `${place}: it stands on no final block, the last one here is ${final}`; // one height is open, whatever is built ahead
    const said = this.#of(node);
    if (height <= said.lostThrough) return `${place}: it may have voted there before it lost its vote log`;
    if (view < said.promised) return `${place}: its view change has promised to vote in no view below ${said.promised}`;
    if (phase === 'prepare') {
      const bound = this.#boundTo(height, view);
      if (bound && !bound.includes(digest)) return `${place}: the new view binds it to another block`;
    }
    said.height = Math.max(said.height, height);
    if (phase === 'commit') said.committed = Math.max(said.committed, height);
    if (phase === 'commit' && (said.prepared.get(height)?.view ?? -1) <= view) {
      said.prepared.set(height, { height, view, digest });
      said.prepared.delete(height - HEIGHTS_REMEMBERED);
    }
    return undefined;
  }

  #viewChangeFault({ node, view, height, prepared }: ViewChange): string | undefined {
    const said = this.#of(node);
    const place = `${node} viewChange ${height} ${view}`;
    if (height < said.lostThrough) return `${place}: it may have voted there before it lost its vote log`;
    if (view < said.promised) return `${place}: its view change has promised to vote in no view below ${said.promised}`;
    said.promised = view;
    const owed = said.prepared.get(height + 1);
    const told = prepared[0];
    if (!owed || owed.view >= view) return undefined;
    if (!told || told.view < owed.view || (told.view === owed.view && toHex(told.digest) !== owed.digest))
      return `${place}: does not report the block prepared in view ${owed.view}`;
    return undefined;
  }

  /** The highest view wins. Computed here anew, whatever the engine makes of it. */
  #noteBinding({ view, viewChanges }: NewView): void {
    let base = 0;
    let chosen: { readonly view: number; readonly digest: Digest } | undefined;
    try {
      const opened = viewChanges.map((bytes) => decodeMessage(bytes)).filter((inner) => inner.kind === 'viewChange');
      base = opened.reduce((highest, inner) => Math.max(highest, inner.height), 0);
      for (const { height, prepared } of opened) {
        const certificate = prepared[0];
        if (height === base && certificate && (!chosen || certificate.view > chosen.view)) chosen = certificate;
      }
    } catch {
      return; // of a traitor; nobody enters by it
    }
    const digest = chosen && toHex(chosen.digest);
    const bindings = this.#bindings.get(view) ?? [];
    if (!bindings.some((other) => other.base === base && other.digest === digest))
      this.#bindings.set(view, [...bindings, { base, digest }]);
  }

  /** Digests that a vote at this place must be for; undefined when there may be others, or the view may have begun at another height. */
  #boundTo(height: number, view: number): readonly string[] | undefined {
    const bindings = this.#bindings.get(view);
    if (!bindings || bindings.some(({ base }) => base !== height - 1)) return undefined;
    const digests = bindings.map(({ digest }) => digest);
    return digests.includes(undefined) ? undefined : (digests as string[]);
  }
}
