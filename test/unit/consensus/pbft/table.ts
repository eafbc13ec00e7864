/** One replica at a table: inputs by hand, effects as lines of text, so that a test reads like a transcript. Nodes a, b, c, d; view 0 is a's. */
import {
  createEngine,
  type Effect,
  type Engine,
  type EngineParameters,
  type EngineStart,
  type EngineStatus,
  type Input,
} from '../../../../consensus/index.ts';
import { type Certificate, certificateOf, decodeCertificate, encodeCertificate } from '../../../../consensus/pbft/certificates.ts';
import { encodeEngineData } from '../../../../consensus/pbft/engine-data.ts';
import {
  decodeMessage,
  encodeMessage,
  type RecoveryReply,
  type Message,
  type NewView,
  type Plain,
  type PrePrepare,
  signingBytes,
  type ViewChange,
  type Vote,
} from '../../../../consensus/pbft/messages.ts';
import { decodeRecord } from '../../../../consensus/pbft/vote-log.ts';
import { type Digest, hashTagged, Reader, SUITE, toHex, utf8, type Validator } from '../../../../node/format/index.ts';
import { SimKeys, type SimSigner } from '../../../simulation/crypto.ts';
import { SeededRandom } from '../../../simulation/random.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'] as const;
const keys = new SimKeys(new SeededRandom(7), SUITE.simulated);
const signers = new Map<string, SimSigner>(NODES.map((node) => [node, keys.generate()]));
/** Second keys of the same nodes, for sets in which governance has replaced one. */
const replacements = new Map<string, SimSigner>(NODES.map((node) => [node, keys.generate()]));
export const CHAIN_ID = hashTagged(keys, 'chain', utf8('table'));

const labels = new Map<string, string>();
/** A digest with a name: `X` is a block, its body is the bytes of `body X`. */
export function d(label: string): Digest {
  const digest = hashTagged(keys, 'header', utf8(label));
  labels.set(toHex(digest), label);
  return digest;
}
export const body = (label: string): Uint8Array => utf8(`body ${label}`);
export const GENESIS = d('genesis');
const name = (digest: Digest): string => labels.get(toHex(digest)) ?? toHex(digest).slice(0, 8);

export const PARAMETERS: EngineParameters = {
  viewTimeoutMs: 1_000,
  viewTimeoutMaxMs: 4_000,
  idleBlockIntervalMs: 100_000,
  checkpointIntervalBlocks: 16,
};

export function validators(nodes: readonly string[] = ['a', 'b', 'c', 'd']): Validator[] {
  return nodes.map((node) => ({ node, publicKey: signers.get(node)!.publicKey, suite: SUITE.simulated, weight: 1 }));
}

/** The same with the second key of `node`. */
export function rekeyed(node: string, set = validators()): Validator[] {
  return set.map((v) => (v.node === node ? { ...v, publicKey: replacements.get(node)!.publicKey } : v));
}

export function vote(kind: Vote['kind'], node: string, view: number, height: number, label: string, by = signers): Vote {
  const unsigned = { kind, view, height, digest: d(label), node } as const;
  return { ...unsigned, signature: by.get(node)!.sign(signingBytes(CHAIN_ID, unsigned)) };
}

/** A vote under the second key of `node`. */
export function rekeyedVote(kind: Vote['kind'], node: string, view: number, height: number, label: string): Vote {
  return vote(kind, node, view, height, label, replacements);
}

export function signed<M extends Plain>(message: Omit<M, 'signature'>): M {
  return { ...message, signature: signers.get(message.node)!.sign(signingBytes(CHAIN_ID, message as unknown as M)) } as unknown as M;
}

export function prePrepare(node: string, view: number, height: number, label: string): PrePrepare {
  const bodyHash = hashTagged(keys, 'engine-message', body(label));
  return signed<PrePrepare>({ kind: 'prePrepare', view, height, digest: d(label), bodyHash, node, proposal: body(label) });
}

export function certificate(
  kind: 'prepare' | 'commit',
  view: number,
  height: number,
  label: string,
  nodes: readonly string[] = ['a', 'b', 'c'],
): Certificate {
  return certificateOf(nodes.map((node) => vote(kind, node, view, height, label)));
}

/** What proves a block final: the bytes of a commit certificate. */
export function finality(view: number, height: number, label: string, nodes?: readonly string[]): Uint8Array {
  return encodeCertificate(certificate('commit', view, height, label, nodes));
}

export function viewChange(
  node: string,
  view: number,
  final: Certificate | undefined = undefined,
  prepared: Certificate[] = [],
): ViewChange {
  return signed<ViewChange>({ kind: 'viewChange', view, height: final?.height ?? 0, certificate: final, prepared, node });
}

export function newView(node: string, view: number, changes: readonly ViewChange[]): NewView {
  return signed<NewView>({ kind: 'newView', view, viewChanges: changes.map(encodeMessage), node });
}

/** What `node` replies to the query of `about`, with the messages of `about` it holds. */
export function recoveryReply(
  node: string,
  about: string,
  round: number,
  final: Certificate | undefined,
  messages: readonly Message[] = [],
): RecoveryReply {
  return signed<RecoveryReply>({ kind: 'recoveryReply', about, round, certificate: final, messages: messages.map(encodeMessage), node });
}

/** What a backup does with a proposal that it had not: its Prepare stands in the log while the block is executed. */
export const accepting = (from: string, view: number, height: number, label: string, fresh = true): string[] => [
  `persist body ${label}`,
  `persist prepare v${view} h${height} ${label}`,
  `execute h${height} ${label} from ${from}${fresh ? ' fresh' : ''}`,
];

interface PbftDetails {
  readonly view: number;
  readonly votes: { readonly prepare: number; readonly commit: number; readonly viewChange: number };
  readonly stableCheckpoint: number;
  readonly unanswered?: readonly string[];
}

export class Table {
  readonly engine: Engine;
  readonly self: string;
  /** What the vote log holds. */
  log: Uint8Array[];
  /** Every message that left, decoded. */
  readonly sent: Message[] = [];
  nowMs = 0;
  signaturesChecked = 0;

  /** `newKey`: it signs with its second key. */
  constructor(self: string, options: Partial<Omit<EngineStart, 'self'>> = {}, newKey = false) {
    this.self = self;
    const signer = (newKey ? replacements : signers).get(self)!;
    this.log = [...(options.log ?? [])];
    this.engine = createEngine(
      'pbft',
      {
        chainId: CHAIN_ID,
        self,
        validators: validators(),
        height: 0,
        digest: GENESIS,
        finality: undefined,
        parameters: PARAMETERS,
        ...options,
        log: this.log,
      },
      {
        hash: (data) => keys.hash(data),
        sign: (message) => signer.sign(message),
        verify: (suite, key, message, signature) => {
          this.signaturesChecked++;
          return keys.verify(suite, key, message, signature);
        },
      },
    );
    this.tick(0);
  }

  /** What PBFT shows, its own details beside what every engine has. */
  get status(): Omit<EngineStatus, 'details'> & PbftDetails {
    const { details, ...status } = this.engine.status();
    return { ...status, ...(details as unknown as PbftDetails) };
  }

  /** Effects of one input; repetition (status and the like on a tick) is left out of the lines. */
  step(input: Input): string[] {
    const effects = this.engine.step(input);
    for (const effect of effects) {
      if (effect.kind === 'persist') this.log.push(effect.record);
      if (effect.kind === 'truncate') this.log = [...effect.keep];
      if (effect.kind === 'broadcast' || effect.kind === 'send') this.sent.push(decodeMessage(effect.bytes));
    }
    return effects.flatMap((effect) => line(effect) ?? []);
  }

  tick(ms: number): string[] {
    this.nowMs += ms;
    return this.step({ kind: 'tick', nowMs: this.nowMs });
  }

  hear(message: Message, from = 'node' in message ? message.node : 'b'): string[] {
    return this.step({ kind: 'message', from, bytes: encodeMessage(message) });
  }

  work(waiting = true): string[] {
    return this.step({ kind: 'work', waiting });
  }

  /** `more`: enough is left for a block on it. */
  built(label: string, height = 1, view = 0, parent = GENESIS, more = false): string[] {
    return this.step({ kind: 'built', height, engineData: encodeEngineData(view), digest: d(label), parent, proposal: body(label), more });
  }

  notBuilt(height = 1, view = 0, parent = GENESIS): string[] {
    return this.step({ kind: 'notBuilt', height, engineData: encodeEngineData(view), parent, code: 'NOTHING_TO_INCLUDE' });
  }

  executed(label: string, code = 'OK', height = 1, parent = GENESIS): string[] {
    return this.step({ kind: 'executed', height, digest: d(label), parent, code });
  }

  /** The block came by sync: three others signed it, unless said otherwise. */
  delivered(
    label: string,
    height = 1,
    view = 0,
    nodes?: readonly string[],
    signers = ['a', 'b', 'c', 'd'].filter((node) => node !== this.self).slice(0, 3),
    set = validators(nodes),
  ): string[] {
    return this.step({
      kind: 'delivered',
      height,
      digest: d(label),
      finality: finality(view, height, label, signers),
      validators: set,
      parameters: PARAMETERS,
    });
  }

  /** Votes of one phase this replica has let out, as `phase vV hH X`. */
  votesSent(): string[] {
    return this.sent.flatMap((message) =>
      message.kind === 'prepare' || message.kind === 'commit'
        ? [`${message.kind} v${message.view} h${message.height} ${name(message.digest)}`]
        : [],
    );
  }
}

export function said(message: Message): string {
  switch (message.kind) {
    case 'prepare':
    case 'commit':
    case 'checkpoint':
    case 'prePrepare':
      return `${message.kind} v${message.view} h${message.height} ${name(message.digest)}`;
    case 'viewChange':
      return `viewChange v${message.view} final ${message.height} prepared [${message.prepared.map((c) => `v${c.view} h${c.height} ${name(c.digest)}`)}]`;
    case 'newView':
      return `newView v${message.view} of ${message.viewChanges.length}`;
    case 'committed':
      return `committed h${message.certificate.height}`;
    case 'fetch':
    case 'body':
      return `${message.kind} h${message.height} ${name(message.digest)}`;
    case 'recoveryReply':
      return `recoveryReply ${message.about} final ${message.certificate?.height ?? 0} messages [${message.messages.map((w) => said(decodeMessage(w))).join(', ')}]`;
    default:
      return message.kind;
  }
}

function line(effect: Effect): string | undefined {
  switch (effect.kind) {
    case 'persist': {
      const record = decodeRecord(effect.record);
      if (record.kind === 'vote') return `persist ${said(record.vote)}`;
      if (record.kind === 'viewChange') return `persist ${said(record.message)}`;
      if (record.kind === 'prepared')
        return `persist prepared v${record.certificate.view} h${record.certificate.height} ${name(record.certificate.digest)}`;
      if (record.kind === 'body') return `persist body ${name(record.digest)}`;
      if (record.kind === 'entered')
        return `persist entered v${record.view} h${record.height} ${record.digest ? name(record.digest) : 'free'}`;
      return `persist ${record.kind}`;
    }
    case 'truncate':
      return `truncate to ${effect.keep.map((record) => decodeRecord(record).kind)}`;
    case 'broadcast': {
      const message = decodeMessage(effect.bytes);
      return message.kind === 'status' ? undefined : `broadcast ${said(message)}`;
    }
    case 'send':
      return `send ${effect.to} ${said(decodeMessage(effect.bytes))}`;
    case 'build':
      return `build h${effect.height} v${new Reader(effect.engineData).u64()} on ${name(effect.parent)}${effect.emptyAllowed ? ' empty' : ''}`;
    case 'execute':
      return `execute h${effect.height} ${name(effect.digest)} from ${effect.from}${effect.fresh ? ' fresh' : ''}`;
    case 'commit':
      return `commit h${effect.height} ${name(effect.digest)} by ${decodeCertificate(effect.finality)
        .votes.map((v) => v.node)
        .join('')}`;
    case 'sync':
      return `sync h${effect.height} from ${effect.from.join('')}`;
    case 'handOver':
      return `hand over to ${effect.to}`;
    case 'evidence':
      return `evidence ${effect.code} ${effect.node}`;
    case 'drop':
      return `${effect.verdict} ${effect.code} ${effect.from}`;
    case 'head':
    case 'search':
      throw new Error(`PBFT asks for no ${effect.kind}`);
    case 'note':
      return undefined;
  }
}
