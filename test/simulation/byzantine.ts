/** Faulty replicas: the honest engine with what leaves it replaced. They hold their own key and nobody else's. */
import type { Effect, Engine, EngineCrypto, EngineStart, Input } from '../../consensus/index.ts';
import { createEngine } from '../../consensus/index.ts';
import {
  type Body,
  decodeMessage,
  encodeMessage,
  type Message,
  type PrePrepare,
  signingBytes,
  type Vote,
} from '../../consensus/pbft/messages.ts';
import {
  type Digest,
  decodeHeader,
  decodeProposal,
  encodeHeader,
  encodeProposal,
  hashTagged,
  headerHash,
  Reader,
  sealSigningBytes,
  Writer,
} from '../../node/format/index.ts';
import { decodeBody, encodeBody } from './chain.ts';
import type { SeededRandom } from './random.ts';
import { type TraitorKind, traitor, traitors } from './traitors.ts';

export const behaviours = ['equivocate', 'silent', 'garbage'] as const;
/** `wild`: equivocates and talks garbage by turns. */
export type Behaviour = (typeof behaviours)[number] | 'wrongBody' | 'wild' | TraitorKind;

type Signed = Exclude<Message, { kind: 'committed' }>;

/** A second proposal for the place of a first, as good as it in every backup's eyes. */
export type MakeTwin = (
  proposal: Uint8Array,
  crypto: EngineCrypto,
  random: SeededRandom,
  validators: number,
) => { readonly proposal: Uint8Array; readonly digest: Digest };

const smallChainTwin: MakeTwin = (bytes, crypto, random) => {
  const proposal = encodeBody({ ...decodeBody(bytes), salt: random.bytes(8) });
  return { proposal, digest: hashTagged(crypto, 'header', proposal) };
};

/**
 * Of whole nodes: the same transactions and roots under a header with other engine data, sealed anew, which every backup may execute and accept;
 * one in four has another time, which the records of its transactions show, so that its state root is wrong unless it is empty.
 */
export const wholeBlockTwin: MakeTwin = (bytes, crypto, random, validators) => {
  const { header: headerBytes, transactionHashes } = decodeProposal(bytes);
  const header = decodeHeader(headerBytes);
  const view = new Reader(header.engineData).u64();
  const sameTurn = new Writer(8).u64(view + validators * random.integer(1, 5)).finish(); // a view that is its own as well
  const changed = random.chance(0.25) ? { timestampMs: header.timestampMs + 1 } : { engineData: sameTurn };
  const other = encodeHeader({ ...header, ...changed });
  const digest = headerHash(crypto, other);
  return { digest, proposal: encodeProposal({ header: other, seal: crypto.sign(sealSigningBytes(digest)), transactionHashes }) };
};

/** An engine factory for the driver of a Byzantine node. */
export function byzantine(
  behaviour: Behaviour,
  random: SeededRandom,
  twin: MakeTwin = smallChainTwin,
): (name: string, start: EngineStart, crypto: EngineCrypto) => Engine {
  return (name, start, crypto) => {
    const honest = createEngine(name, start, crypto);
    const others = start.validators.map((validator) => validator.node).filter((node) => node !== start.self);
    const sign = <M extends Signed>(message: M): M => ({ ...message, signature: crypto.sign(signingBytes(start.chainId, message)) });
    const lie = equivocate();
    const wild = (effect: Effect): Effect[] => (random.chance(0.6) ? lie(effect) : garbage(effect));
    const schemes = traitors.find((kind) => kind === behaviour);
    const scheme = schemes && traitor(schemes, { start, crypto, random, twin });
    const plain = { equivocate: lie, silent: () => [], garbage, wrongBody, wild } as const;
    const act = scheme ? (effect: Effect) => scheme.act(effect) : plain[behaviour as keyof typeof plain];

    /** Two proposals for one place, one for each half, and a vote for each of them. */
    function equivocate(): (effect: Effect) => Effect[] {
      const twins = new Map<string, Uint8Array>();
      return (effect) => {
        if (effect.kind !== 'broadcast') return [effect];
        const message = decodeMessage(effect.bytes);
        let other: Message | undefined;
        if (message.kind === 'prePrepare') {
          const { proposal, digest } = twin(message.proposal, crypto, random, start.validators.length);
          twins.set(`${message.height} ${message.view}`, digest);
          other = sign({ ...message, proposal, digest, bodyHash: hashTagged(crypto, 'engine-message', proposal) } satisfies PrePrepare);
        } else if (message.kind === 'prepare' || message.kind === 'commit') {
          const digest = twins.get(`${message.height} ${message.view}`);
          if (digest) other = sign({ ...message, digest } satisfies Vote);
        }
        if (!other) return [effect];
        const bytes = encodeMessage(other);
        return others.map((to, i) => ({ kind: 'send', to, bytes: (i + (random.chance(0.1) ? 1 : 0)) % 2 === 0 ? effect.bytes : bytes }));
      };
    }

    /** Votes for digests that exist nowhere, views and heights from nowhere, and bytes that are no message. */
    function garbage(effect: Effect): Effect[] {
      if (effect.kind !== 'broadcast' && effect.kind !== 'send') return [effect];
      const message = decodeMessage(effect.bytes);
      const out: Effect[] = random.chance(0.5) ? [effect] : [];
      const say = (bytes: Uint8Array) => out.push({ kind: 'send', to: random.pick(others), bytes });
      if (message.kind === 'prepare' || message.kind === 'commit') {
        say(encodeMessage(sign({ ...message, digest: random.bytes(32) })));
        say(encodeMessage(sign({ ...message, view: message.view + random.integer(0, 3), height: message.height + random.integer(0, 3) })));
        say(encodeMessage({ ...message, node: random.pick(others) }));
      }
      if (message.kind === 'status') {
        say(
          encodeMessage(sign({ ...message, height: message.height + random.integer(0, 50), view: message.view + random.integer(0, 50) })),
        );
        const far = {
          kind: 'viewChange',
          view: message.view + random.integer(1, 9),
          node: start.self,
          signature: new Uint8Array(),
        } as const;
        say(encodeMessage(sign({ ...far, height: 0, certificate: undefined, prepared: [] })));
      }
      if (message.kind === 'viewChange') say(encodeMessage(sign({ ...message, prepared: [] })));
      if (message.kind === 'newView') say(encodeMessage(sign({ ...message, viewChanges: message.viewChanges.slice(1) })));
      if (message.kind === 'body') say(encodeMessage(sign({ ...message, proposal: random.bytes(40) })));
      const torn = effect.bytes.slice(0, random.integer(0, effect.bytes.length));
      if (torn.length > 0) torn[random.integer(0, torn.length - 1)]! ^= 1 << random.integer(0, 7);
      say(torn);
      return out;
    }

    /** A body that is not what its digest says, for some; the digest is the same, so this is no equivocation. */
    function wrongBody(effect: Effect): Effect[] {
      if (effect.kind !== 'broadcast' && effect.kind !== 'send') return [effect];
      const message = decodeMessage(effect.bytes);
      if (message.kind !== 'prePrepare' && message.kind !== 'body') return [effect];
      const proposal = encodeBody({ ...decodeBody(message.proposal), salt: random.bytes(8) });
      const lie =
        message.kind === 'prePrepare'
          ? sign({ ...message, proposal, bodyHash: hashTagged(crypto, 'engine-message', proposal) } satisfies PrePrepare)
          : sign({ ...message, proposal } satisfies Body);
      const targets = effect.kind === 'send' ? [effect.to] : others;
      return targets.map((to) => ({ kind: 'send', to, bytes: random.chance(0.5) ? encodeMessage(lie) : effect.bytes }));
    }

    /** Evidence of its own doings would end them: a traitor does not listen to it. */
    function isOwnWord(input: Input): boolean {
      if (input.kind !== 'message') return false;
      try {
        const message = decodeMessage(input.bytes);
        return message.kind !== 'committed' && message.node === start.self;
      } catch {
        return false;
      }
    }

    return {
      name: honest.name,
      status: () => honest.status(),
      signatures: (bytes) => honest.signatures(bytes),
      step: (input) => [
        ...(isOwnWord(input) ? [] : honest.step(input)).flatMap((effect) =>
          effect.kind === 'broadcast' || effect.kind === 'send' ? act(effect) : [effect],
        ),
        ...(scheme?.hear(input) ?? []),
      ],
    };
  };
}
