/**
 * Who is there in a cluster of whole nodes: genesis, keys, accounts, the contract machine that the process shares, and the transactions of its clients by number.
 */
import {
  type BuiltinContract,
  type ContractMachine,
  createBuiltins,
  createContractMachine,
  type Genesis,
  loadWasm,
  production,
  records,
} from '../../contracts/index.ts';
import {
  type ByteText,
  type Call,
  type ChainParameters,
  type Digest,
  encodeJson,
  encodeSubmissions,
  type Json,
  signTransaction,
  type TextStruct,
  toByteText,
  toHex,
  utf8,
} from '../../node/format/index.ts';
import type { NodeLimits } from '../../node/options.ts';
import type { ServicesLimits } from '../../node/services.ts';
import { prepareRecord } from '../../node/records/index.ts';
import type { Cluster } from './cluster.ts';
import { COUNCIL_FROM, councilCall, type Motion, ORGANISATIONS, organisationOfNode } from './council.ts';
import { type SimSigner, sha256 } from './crypto.ts';

const GENESIS_MS = 1_767_225_600_000;
const ORGANISATION = ORGANISATIONS[0];
export const CLIENT = `mes@${ORGANISATION}`;
const ADMIN = `admin@${ORGANISATION}`;
const GAS = 100_000_000;
/** A new node's four keys are screened, when proposed. */
const COUNCIL_GAS = 1_000_000_000;
/** Of a block: a quarter of the shortest view that is drawn, 200 ms. */
const BLOCK_GAS = 2_000_000_000;
/** Serials of bulk, of which no other transaction makes any. */
const BULK_SERIALS_FROM = 10_000_000;
/** Blocks that most transactions live; far past any run. */
const LIFETIME_BLOCKS = 5_000;
/** Blocks that one in seven lives: some of those expire. */
const LIFETIME_SHORT_BLOCKS = 6;

const KEY = { scope: ['*'], validTo: null, revoked: false };
type AccountKey = Genesis['accounts'][number]['keys'][number];

/** The account whose records an organisation hands in as bodies: its nodes sign for it. */
export const lineOf = (organisation: string): string => `line@${organisation}`;
export const plantOf = (organisation: string): string => `F-${organisation}`;
export const deviceOf = (organisation: string): string => `D-${organisation}`;

/** One per process: it keeps nothing from run to run. */
let machine: Promise<ContractMachine> | undefined;

/** What a node holds and asks for at a time; its own defaults where absent. */
export interface FullLimits extends NodeLimits {
  readonly versionsMax?: number;
  /** Of the files with bodies of blocks. */
  readonly segmentBytes?: number;
}

export interface Bulk {
  readonly records: number;
  readonly gasLimit: number;
}

export interface FullSetup {
  readonly genesisText: string;
  readonly builtins: ReadonlyMap<string, BuiltinContract>;
  readonly machine: ContractMachine;
  readonly motions: readonly Motion[];
  readonly mempoolCountMax: number;
  readonly limits: FullLimits;
  /** The validator keys that motions give, by node. */
  readonly nextSigners: ReadonlyMap<number, SimSigner>;
  /** Keys that nodes sign with for the accounts they serve, by node. */
  readonly custodial: readonly SimSigner[];
  /** Whether nodes have record services, and how often their exchange logs are anchored. */
  readonly services: ServicesLimits | undefined;
  organisationOf(node: number): string;
  /** Bytes and id of transaction number `id`, the same at whichever node it is handed in. */
  transaction(id: number, chainId: Digest, height: number): { readonly bytes: Uint8Array; readonly id: Digest };
  /** Number of a transaction made here. */
  numberOf(id: Digest): number | undefined;
}

export interface FullSetupOptions {
  readonly motions?: readonly Motion[];
  readonly mempoolCountMax?: number;
  readonly limits?: FullLimits;
  /** What the administrator calls, by number of the transaction. */
  readonly adminCalls?: ReadonlyMap<number, Call>;
  /** Transactions of many records, by number. */
  readonly bulks?: ReadonlyMap<number, Bulk>;
  /** Given where nodes have record services. */
  readonly services?: ServicesLimits | undefined;
}

/** Loads what every full cluster of this process shares. */
export async function loadMachine(): Promise<ContractMachine> {
  machine ??= loadWasm().then((wasm) => createContractMachine({ wasm, hash: (data) => sha256(data), executionVersion: 1 }));
  return machine;
}

/**
 * Genesis and clients of one cluster. With motions there are several organisations, and a node that a motion adds is not in the genesis; without,
 * one organisation has all nodes.
 */
export function fullSetup(
  cluster: Cluster,
  loaded: ContractMachine,
  validators: number,
  parameters: Partial<ChainParameters>,
  { motions = [], mempoolCountMax = 1_000, limits = {}, adminCalls = new Map(), bulks = new Map(), services }: FullSetupOptions = {},
): FullSetup {
  const { keys, signers, names } = cluster;
  const { suite } = keys;
  const client = keys.generate();
  const admin = keys.generate();
  const hex = (signer: SimSigner) => toHex(signer.publicKey);
  const accountOf = (id: string, roles: string[], organisation: string, keys: readonly AccountKey[]) => ({
    id,
    organisation,
    type: 'service' as const,
    roles,
    keys,
  });
  const ownKey = (signer: SimSigner): AccountKey => ({ ...KEY, keyId: 'k', publicKey: hex(signer), suite, kind: 'own', node: null });
  const account = (id: string, signer: SimSigner, roles: string[], organisation: string = ORGANISATION) =>
    accountOf(id, roles, organisation, [ownKey(signer)]);
  const organisationOf = (node: number): string => (motions.length > 0 ? organisationOfNode(node) : ORGANISATION);
  const custodial: SimSigner[] = [];
  const nodes = names.map((id, i) => {
    const transportKey = hex(keys.generate());
    const tokenKey = hex(keys.generate());
    custodial.push(keys.generate());
    return {
      id,
      organisation: organisationOf(i),
      transportKey,
      validatorKey: hex(signers[i]!),
      tokenKey,
      custodialKey: hex(custodial[i]!),
      addresses: ['/ip4/127.0.0.1/tcp/4001'],
      role: i < validators || isAdded(motions, i) ? ('validator' as const) : ('observer' as const),
      weight: 1,
      suite,
    };
  });
  /** Of the nodes in the genesis. */
  const custodialKeys = (organisation: string, only?: string): readonly AccountKey[] =>
    nodes.flatMap(({ id: node, organisation: owner, custodialKey: publicKey }, i) =>
      owner === organisation && !isAdded(motions, i) && (only ?? node) === node
        ? [{ ...KEY, keyId: node, publicKey, suite, kind: 'custodial' as const, node }]
        : [],
    );
  const others = motions.length > 0 ? ORGANISATIONS.slice(1) : [];
  const admins = new Map(others.map((organisation) => [organisation as string, keys.generate()]));
  admins.set(ORGANISATION, admin);
  const nextSigners = new Map(
    motions.flatMap((motion) => (motion.kind === 'replaceValidatorKey' ? [[motion.node, keys.generate()] as const] : [])),
  );
  const motionBody = (motion: Motion): { readonly [name: string]: Json } => {
    if (motion.kind === 'setParameter') return { ...motion };
    if (motion.kind === 'replaceValidatorKey')
      return { kind: motion.kind, id: names[motion.node]!, validatorKey: hex(nextSigners.get(motion.node)!) };
    const { id, organisation, ...data } = nodes[motion.node]!;
    return motion.kind === 'addNode' ? { kind: motion.kind, id, organisation, node: data } : { kind: motion.kind, id };
  };
  const founders = [...new Set(nodes.filter((_, i) => !isAdded(motions, i)).map(({ organisation }) => organisation))];
  const served = services ? founders : [];
  const genesis: Genesis = {
    version: 1,
    name: 'simulation',
    timestampMs: GENESIS_MS,
    engine: 'pbft',
    executionVersion: 1,
    parameters: { blockGasMax: BLOCK_GAS, transactionGasMax: BLOCK_GAS, ...parameters },
    organisations: [ORGANISATION, ...others].map((id) => ({ id, name: id })),
    nodes: nodes.filter((_, i) => !isAdded(motions, i)),
    accounts: [
      account(CLIENT, client, ['operator']),
      account(ADMIN, admin, ['admin']),
      ...others.map((organisation) => account(`admin@${organisation}`, admins.get(organisation)!, ['admin'], organisation)),
      ...served.map((organisation) => accountOf(lineOf(organisation), ['operator'], organisation, custodialKeys(organisation))),
      ...(services ? nodes.filter((_, i) => !isAdded(motions, i)) : []).map(({ id, organisation }) =>
        accountOf(`${id}@${organisation}`, ['node'], organisation, custodialKeys(organisation, id)),
      ),
    ],
    factories: [
      { id: 'F-001', organisation: ORGANISATION, name: 'Plant' },
      ...served.map((organisation) => ({ id: plantOf(organisation), organisation, name: 'Line' })),
    ],
    devices: [
      { id: 'D-1', organisation: ORGANISATION, factory: 'F-001' },
      ...served.map((organisation) => ({ id: deviceOf(organisation), organisation, factory: plantOf(organisation) })),
    ],
  };
  const made = new Map<number, { readonly bytes: Uint8Array; readonly id: Digest }>();
  const numbers = new Map<ByteText, number>();
  return {
    genesisText: JSON.stringify(genesis),
    machine: loaded,
    motions,
    mempoolCountMax,
    limits,
    nextSigners,
    custodial,
    services,
    organisationOf,
    builtins: new Map([...createBuiltins({ acceptKey: () => true }), [records.name, records]]),
    numberOf: (id) => numbers.get(toByteText(id)),
    transaction(id, chainId, height) {
      const held = made.get(id);
      if (held) return held;
      const governs = id >= COUNCIL_FROM ? councilCall(motions, id, motionBody) : undefined;
      const adminCall = governs ? undefined : (adminCalls.get(id) ?? (id % 6 === 5 ? registerCall(id) : undefined));
      const bulk = bulks.get(id);
      const signer = governs ? admins.get(governs.organisation)! : adminCall ? admin : client;
      const signed = signTransaction(
        keys,
        {
          chainId,
          sender: governs ? `admin@${governs.organisation}` : adminCall ? ADMIN : CLIENT,
          keyId: 'k',
          salt: keys.hash(utf8(`salt ${id}`)).slice(0, 16),
          expiryHeight: height + (!governs && id % 7 === 6 ? LIFETIME_SHORT_BLOCKS : LIFETIME_BLOCKS),
          calls: governs ? [governs.call] : adminCall ? [adminCall] : recordCalls(keys, bulk ? serialsOf(id, bulk) : serials(id)),
          gasLimit: governs ? COUNCIL_GAS : (bulk?.gasLimit ?? GAS),
          suite,
        },
        (message) => signer.sign(message),
      );
      made.set(id, signed);
      numbers.set(toByteText(signed.id), id);
      return signed;
    },
  };
}

/** Whether a node joins by a motion, and is no founder. */
export function isAdded(motions: readonly Motion[], node: number): boolean {
  return motions.some((motion) => motion.kind === 'addNode' && motion.node === node);
}

/** A factory; every other one is there already, which is a failed receipt. */
function registerCall(id: number): Call {
  return {
    contract: 'registry',
    method: 'register',
    args: encodeJson({ kind: 'factory', id: `F-${100 + (id >> 4)}`, data: { name: 'New plant' } }),
  };
}

/** One or two records; one in five says again what an earlier one said. */
const serials = (id: number): number[] => (id % 5 === 4 ? [id - 1] : id % 3 === 0 ? [id, 1_000_000 + id] : [id]);

const serialsOf = (id: number, { records }: Bulk): number[] =>
  Array.from({ length: records }, (_, i) => BULK_SERIALS_FROM + id * 1_000 + i);

function recordCalls(crypto: { hash(data: Uint8Array): Digest }, serials: readonly number[]): Call[] {
  const submissions = serials.map((serial) => {
    const context = { crypto, org: ORGANISATION, sealingKey: new Uint8Array(32).fill(3) };
    const preparation = prepareRecord(context, production, annexRecord(serial));
    if (!preparation.ok) throw new Error(`record ${serial}: ${JSON.stringify(preparation.faults)}`);
    return preparation.prepared.submission;
  });
  return [{ contract: 'records', method: 'submit', args: encodeSubmissions(submissions) }];
}

function annexRecord(serial: number): TextStruct {
  return {
    production_time: '2026-01-01T08:00:00+08:00',
    production_location: 'Kunming, line 3',
    product_uid: `SN-${serial}`,
    pro_raw_material: { pro_supplier: 'S-12', pro_batch_number: `B-${serial >> 3}`, pro_Report_qualify_eval: 'QR-77' },
    propara: { pro_temperature: '21.50', pro_humidity: '45', pro_pressure: 'UNAVAILABLE' },
    pro_op_info: { pro_op_name: 'Li', pro_op_id: 'E-1', pro_op_record: 'assembled' },
    pro_factory_uid: 'F-001',
    ext: { device_id: 'D-1', production_batch: `PB-${serial >> 4}` },
  };
}
