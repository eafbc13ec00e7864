/**
 * Traitors that do more than speak at random: each takes what the honest engine would say, and what it has heard, and uses it where an honest
 * replica would not. They hold their own key and nobody else's.
 */
import type { Effect, EngineCrypto, EngineStart, Input } from '../../consensus/index.ts';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type NewView,
  type PrePrepare,
  signingBytes,
  type ViewChange,
  type Vote,
} from '../../consensus/pbft/messages.ts';
import type { Certificate } from '../../consensus/pbft/certificates.ts';
import { hashTagged, quorumSize } from '../../node/format/index.ts';
import type { MakeTwin } from './byzantine.ts';
import type { SeededRandom } from './random.ts';

export const traitors = ['withhold', 'replay', 'splitView', 'turncoat', 'boast', 'schemer'] as const;
export type TraitorKind = (typeof traitors)[number];

export interface Traitor {
  /** What leaves instead of a broadcast or a send of the honest engine. */
  act(effect: Effect): readonly Effect[];
  /** What leaves besides when `input` came. */
  hear(input: Input): readonly Effect[];
}

export interface TraitorContext {
  readonly start: EngineStart;
  readonly crypto: EngineCrypto;
  readonly random: SeededRandom;
  readonly twin: MakeTwin;
}

type Signed = Exclude<Message, { kind: 'committed' }>;

/** Frames of others that `replay` keeps, and heights of which `splitView` keeps a certificate. */
const FRAMES_KEPT_MAX = 300;
const CERTIFICATES_KEPT_MAX = 20;
/** What `boast` names: within the bounds of the form, far past any run. */
const HEIGHT_BOASTED = 9_000_000_000_000_000;
const VIEW_BOASTED = 4_000_000_000;

export function traitor(kind: TraitorKind, context: TraitorContext): Traitor {
  switch (kind) {
    case 'withhold':
      return withhold(context);
    case 'replay':
      return replay(context);
    case 'splitView':
      return splitView(context);
    case 'turncoat':
      return turncoat(context);
    case 'boast':
      return boast(context);
    case 'schemer': {
      const all = [withhold, replay, splitView, turncoat, boast].map((make) => make(context));
      // One after the other, so that a proposal may be flipped first and withheld from some then.
      return {
        act: (effect) => all.reduce<readonly Effect[]>((effects, each) => effects.flatMap((one) => each.act(one)), [effect]),
        hear: (input) => all.flatMap((each) => each.hear(input)),
      };
    }
  }
}

const othersOf = ({ validators, self }: EngineStart) => validators.map(({ node }) => node).filter((node) => node !== self);
const send = (to: string, message: Message): Effect => ({ kind: 'send', to, bytes: encodeMessage(message) });

function signer({ start, crypto }: TraitorContext) {
  return <M extends Signed>(message: M): M => ({ ...message, signature: crypto.sign(signingBytes(start.chainId, message)) });
}

function heard(input: Input): Message | undefined {
  if (input.kind !== 'message') return undefined;
  try {
    return decodeMessage(input.bytes);
  } catch {
    return undefined;
  }
}

/** Speaks to some only, and to others after a while. */
function withhold({ start, random }: TraitorContext): Traitor {
  const others = othersOf(start);
  let told = others;
  return {
    act(effect) {
      if (random.chance(0.03)) told = others.filter(() => random.chance(0.5));
      if (effect.kind === 'broadcast') return told.map((to) => ({ kind: 'send', to, bytes: effect.bytes }));
      return effect.kind === 'send' && !told.includes(effect.to) ? [] : [effect];
    },
    hear: () => [],
  };
}

/** Keeps what others have signed, in whichever of their lives, and says it again much later. */
function replay({ start, random }: TraitorContext): Traitor {
  const others = othersOf(start);
  const kept: Uint8Array[] = [];
  return {
    act: (effect) => [effect],
    hear(input) {
      if (input.kind === 'message') {
        if (kept.length < FRAMES_KEPT_MAX) kept.push(input.bytes);
        else if (random.chance(0.2)) kept[random.integer(0, kept.length - 1)] = input.bytes;
      }
      if (input.kind !== 'tick' || kept.length === 0 || !random.chance(0.3)) return [];
      return [{ kind: 'send', to: random.pick(others), bytes: random.pick(kept) }];
    },
  };
}

/** View changes that say another thing to each, and new views made of whichever of them suit. */
function splitView(context: TraitorContext): Traitor {
  const { start, random } = context;
  const sign = signer(context);
  const others = othersOf(start);
  const quorum = quorumSize(start.validators.length);
  const certificates = new Map<number, Certificate>();
  /** View changes of others for the highest view heard of, every version of each. */
  let view = 0;
  let spoken: ViewChange[] = [];
  const keep = (certificate: Certificate | undefined) => {
    if (!certificate) return;
    certificates.set(certificate.height, certificate);
    certificates.delete(certificate.height - CERTIFICATES_KEPT_MAX);
  };
  /** As it is, without the prepared block, or from before some of the final blocks. */
  const doctored = (message: ViewChange): ViewChange => {
    const height = random.chance(0.4) ? message.height - random.integer(1, 3) : message.height;
    const certificate = height === message.height ? message.certificate : certificates.get(height);
    if (height > 0 && certificate) return sign({ ...message, height, certificate, prepared: [] });
    return sign({ ...message, prepared: random.chance(0.5) ? [] : message.prepared });
  };
  const made = (message: NewView): NewView => {
    const own = spoken.find(({ node }) => node === start.self);
    const versions = [...spoken.filter(({ node }) => node !== start.self), ...(own ? [doctored(own)] : [])];
    const chosen = new Map<string, ViewChange>();
    while (versions.length > 0 && chosen.size < quorum) {
      const [version] = versions.splice(random.integer(0, versions.length - 1), 1);
      chosen.set(version!.node, version!);
    }
    return chosen.size < quorum ? message : sign({ ...message, viewChanges: [...chosen.values()].map((inner) => encodeMessage(inner)) });
  };
  const listen = (message: Message | undefined) => {
    if (message?.kind === 'committed') keep(message.certificate);
    if (message?.kind !== 'viewChange' || message.view < view) return;
    keep(message.certificate);
    if (message.view > view) spoken = [];
    view = message.view;
    spoken.push(message);
  };
  return {
    act(effect) {
      if (effect.kind !== 'broadcast') return [effect];
      const message = decodeMessage(effect.bytes);
      if (message.kind === 'viewChange') {
        listen(message);
        return others.map((to) => send(to, random.chance(0.5) ? message : doctored(message)));
      }
      if (message.kind === 'newView' && message.view === view) return others.map((to) => send(to, made(message)));
      return [effect];
    },
    hear(input) {
      listen(heard(input));
      return [];
    },
  };
}

/** Takes back what it said: proposes a twin later, to whoever may have forgotten the first, and votes for it. */
function turncoat(context: TraitorContext): Traitor {
  const { start, crypto, random, twin } = context;
  const sign = signer(context);
  const others = othersOf(start);
  let first: PrePrepare | undefined;
  let second: PrePrepare | undefined;
  return {
    act(effect) {
      if (effect.kind !== 'broadcast' && effect.kind !== 'send') return [effect];
      const message = decodeMessage(effect.bytes);
      // One without a body is evidence of a double proposal, on its way to others.
      if (
        message.kind === 'prePrepare' &&
        message.proposal.length > 0 &&
        (message.height !== first?.height || message.view !== first.view)
      ) {
        const { proposal, digest } = twin(message.proposal, crypto, random, start.validators.length);
        first = message;
        second = sign({ ...message, proposal, digest, bodyHash: hashTagged(crypto, 'engine-message', proposal) });
      }
      return [effect];
    },
    hear(input) {
      if (input.kind !== 'tick' || !first || !second || !random.chance(0.3)) return [];
      const { height, view, digest, node } = random.chance(0.7) ? second : first;
      const to = random.pick(others);
      const vote = (kind: 'prepare' | 'commit'): Effect =>
        send(to, sign({ kind, height, view, digest, node, signature: new Uint8Array() } satisfies Vote));
      return [send(to, digest === second.digest ? second : first), vote('prepare'), vote('commit')];
    },
  };
}

/** Tells whoever lost its vote log of a certificate further than any chain will come, and claims to be as far itself. */
function boast(context: TraitorContext): Traitor {
  const { random } = context;
  const sign = signer(context);
  return {
    act(effect) {
      if (effect.kind !== 'broadcast' && effect.kind !== 'send') return [effect];
      const message = decodeMessage(effect.bytes);
      const far = { height: random.pick([1_000, HEIGHT_BOASTED]), view: random.pick([7, VIEW_BOASTED]) };
      if (message.kind === 'recoveryReply' && message.certificate !== undefined)
        return [{ ...effect, bytes: encodeMessage(sign({ ...message, certificate: { ...message.certificate, ...far } })) }];
      if (message.kind === 'status' && random.chance(0.2)) return [{ ...effect, bytes: encodeMessage(sign({ ...message, ...far })) }];
      return [effect];
    },
    hear: () => [],
  };
}
