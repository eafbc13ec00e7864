/**
 * The built-in contract `contracts`: deploys JavaScript and keeps what was deployed: pause, resume, terminate (DB53 5.1.2.a, 6.2.1.d).
 * Compilation and audit happen before signing; here code is loaded once, so that what cannot run is refused, and attestations are checked
 * by signature, never by looking at source (design: execution, "Deploy").
 *
 * | state | pause | resume | terminate |
 * | --- | --- | --- | --- |
 * | active | paused | - | terminated |
 * | paused | - | active | terminated |
 * | terminated | - | - | - |
 */
import {
  decodeJson,
  encodeJson,
  fromHex,
  fromUtf8,
  hashTagged,
  type Json,
  type JsonObject,
  tagged,
  toHex,
  utf8,
  Writer,
} from '../../node/format/index.ts';
import { GAS, IMAGES_TOTAL_BYTES_MAX } from '../gas.ts';
import { entryOf, type may, type Read, readableWith, readThrough } from './access.ts';
import { isObject } from './arguments.ts';
import { GAS_PER_ENTRY_JSON_BYTE, pricedByArguments } from './pricing.ts';
import { type BuiltinContract, ContractFailure, type ContractMachine, type Host } from '../types.ts';
import { CONTRACT, type DeployedContract, type DeployedEntry, type DeployedTotals, deployedKey, type Right } from './layout.ts';

const ADDRESS_BYTES = 20;
const ATTESTATIONS_COUNT_MAX = 16;
const LIST_LIMIT_MAX = 100;
const LANGUAGES = ['javascript'];
const DIGEST_HEX = /^[0-9a-f]{64}$/;
const ADDRESS = /^0x[0-9a-f]{40}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export interface DeployedContractDeps {
  /** Whether an account holds a right, by chain state; see contracts/builtin/access.ts. */
  readonly may: typeof may;
  readonly machine: ContractMachine;
}

type Method = (host: Host, args: Uint8Array) => Uint8Array;

/** Characters of the name a deployer gives; for people, never looked up by. */
export const CONTRACT_NAME_LENGTH_MAX = 64;

export function createDeployedContract(deps: DeployedContractDeps): BuiltinContract {
  return pricedByArguments({
    name: CONTRACT.deployed,
    methods: {
      deploy: (host, args) =>
        deploy(deps, host, objectOf(args, ['name', 'language', 'code', 'codeEncoding', 'sourceDigest', 'attestations'])),
      pause: transition(deps, ['active'], 'paused', 'Paused'),
      resume: transition(deps, ['paused'], 'active', 'Resumed'),
      terminate: transition(deps, ['active', 'paused'], 'terminated', 'Terminated'),
    },
    queries: readableWith(
      'chain:read',
      {
        info: (host, args) => encodeJson(rowOf(host, addressOf(objectOf(args, ['address']))) as unknown as Json),
        list: (host, args) => list(host, objectOf(args, ['from', 'limit'])),
      },
      deps.may,
    ),
  });
}

function deploy(deps: DeployedContractDeps, host: Host, args: JsonObject): Uint8Array {
  const sender = directSender(host);
  if (!holds(deps, host, sender, 'contract:deploy')) throw rightMissing('contract:deploy', sender);
  const { language, sourceDigest, name = '' } = args;
  if (typeof name !== 'string' || name.length > CONTRACT_NAME_LENGTH_MAX)
    throw invalid('name', `text of at most ${CONTRACT_NAME_LENGTH_MAX} characters`);
  if (typeof language !== 'string' || !LANGUAGES.includes(language)) throw invalid('language', `one of ${LANGUAGES.join(', ')}`);
  if (typeof sourceDigest !== 'string' || !DIGEST_HEX.test(sourceDigest)) throw invalid('sourceDigest', '64 lower-case hex digits');
  const code = codeOf(args);
  const codeDigest = toHex(host.hash(code));
  const attestedBy = attestersOf(host, args.attestations ?? [], sender, codeDigest, sourceDigest);

  host.useGas(GAS.instance);
  const tank = {
    use: (units: number) => host.useGas(units),
    get left() {
      return host.gasLeft;
    },
  };
  const loaded = deps.machine.load(code, codeDigest, tank);
  const address = addressFor(host, sender);
  const key = deployedKey.contract(address);
  if (host.get(key) !== undefined) throw new ContractFailure('CONTRACT_ADDRESS_TAKEN', { address });
  const row: DeployedContract = {
    ...{
      address,
      name,
      owner: organisationOf(sender),
      state: 'active',
      version: 1,
      language,
      deployedBy: sender,
      deployedAt: host.block.height,
    },
    ...{ codeDigest, codeBytes: code.length, sourceDigest },
    ...{ imageDigest: loaded.imageDigest, imageBytes: loaded.imageBytes, loadGas: loaded.gasUsed },
    ...{ methods: loaded.methods, queries: loaded.queries, events: loaded.events, attestedBy },
  };
  const { count, imageBytes } = totalsOf(host);
  if (imageBytes + loaded.imageBytes > IMAGES_TOTAL_BYTES_MAX)
    throw new ContractFailure('CONTRACT_ROOM_EXHAUSTED', { imageBytes: loaded.imageBytes, left: IMAGES_TOTAL_BYTES_MAX - imageBytes });
  putRow(host, row);
  if (host.get(deployedKey.code(codeDigest)) === undefined) host.put(deployedKey.code(codeDigest), code);
  host.put(deployedKey.at(count), utf8(address));
  putTotals(host, { count: count + 1, imageBytes: imageBytes + loaded.imageBytes });
  const result = { address, codeDigest, imageDigest: loaded.imageDigest };
  host.emit('Deployed', encodeJson({ ...result, owner: row.owner, deployedBy: sender }));
  return encodeJson(result);
}

/** Address = first 20 bytes of H('address', deployer, transactionId, callIndex). */
function addressFor(host: Host, sender: string): string {
  const bytes = new Writer(128).text(sender).fixed(host.transaction.transactionId, 32).u32(host.callIndex).finish();
  const digest = hashTagged({ hash: (data) => host.hash(data) }, 'address', bytes);
  return `0x${toHex(digest.subarray(0, ADDRESS_BYTES))}`;
}

function codeOf(args: JsonObject): Uint8Array {
  const { code, codeEncoding = 'text' } = args;
  if (typeof code !== 'string' || code === '') throw invalid('code', 'the text of the code');
  if (codeEncoding === 'text') return utf8(code);
  if (codeEncoding !== 'base64') throw invalid('codeEncoding', 'text or base64');
  if (!BASE64.test(code)) throw invalid('code', 'base64 (RFC 4648 §4), padded');
  const bytes = Uint8Array.from(atob(code), (character) => character.charCodeAt(0));
  const tail = bytes.subarray(bytes.length - (bytes.length % 3));
  if (tail.length > 0 && btoa(String.fromCharCode(...tail)) !== code.slice(-4)) throw invalid('code', 'base64 whose unused bits are zero');
  return bytes;
}

/**
 * `attestations`: [{node, reportDigest, signature}]. A node of another organisation says: this source compiles to this code, the report of
 * the audit has this digest. Signed with its validator key over tag `attestation` and the canonical JSON of those facts.
 */
function attestersOf(host: Host, attestations: Json, sender: string, codeDigest: string, sourceDigest: string): readonly string[] {
  if (!Array.isArray(attestations) || attestations.length > ATTESTATIONS_COUNT_MAX)
    throw invalid('attestations', `a list of at most ${ATTESTATIONS_COUNT_MAX}`);
  const nodes = new Set<string>();
  for (const item of attestations as readonly Json[]) {
    const { node, reportDigest, signature }: JsonObject = isObject(item) ? item : {};
    if (typeof node !== 'string' || typeof reportDigest !== 'string' || typeof signature !== 'string' || !DIGEST_HEX.test(reportDigest))
      throw invalid('attestations', '{node, reportDigest, signature} each');
    const entry = entryOf((contract, key) => host.read(contract, key), 'node', node);
    const message = tagged('attestation', encodeJson({ node, codeDigest, sourceDigest, reportDigest }));
    const holds =
      entry?.state === 'active' &&
      entry.owner !== organisationOf(sender) &&
      !nodes.has(node) &&
      /^(?:[0-9a-f]{2})+$/.test(signature) &&
      host.verify(1, fromHex(entry.data.validatorKey), message, fromHex(signature));
    if (!holds) throw new ContractFailure('CONTRACT_ATTESTATION_INVALID', { node });
    nodes.add(node);
  }
  return [...nodes].sort();
}

function transition(
  deps: DeployedContractDeps,
  from: readonly DeployedContract['state'][],
  to: DeployedContract['state'],
  event: string,
): Method {
  return (host, args) => {
    const sender = directSender(host);
    const row = rowOf(host, addressOf(objectOf(args, ['address'])));
    if (!mayManage(deps, host, sender, row)) throw rightMissing('contract:manage', sender);
    if (!from.includes(row.state)) throw new ContractFailure('CONTRACT_STATE_CONFLICT', { address: row.address, state: row.state, to });
    const changed: DeployedContract = { ...row, state: to, version: row.version + 1 };
    putRow(host, changed);
    if (to === 'terminated') {
      const totals = totalsOf(host);
      putTotals(host, { ...totals, imageBytes: totals.imageBytes - row.imageBytes });
    }
    const result = { address: row.address, state: to, version: changed.version };
    host.emit(event, encodeJson({ ...result, by: sender }));
    return encodeJson(result);
  };
}

/** The account that deployed it, as long as it may deploy; or an account of the same organisation with `contract:manage`. */
function mayManage(deps: DeployedContractDeps, host: Host, sender: string, row: DeployedContract): boolean {
  if (sender === row.deployedBy && holds(deps, host, sender, 'contract:deploy')) return true;
  return organisationOf(sender) === row.owner && holds(deps, host, sender, 'contract:manage', `contract/${row.address}`);
}

function list(host: Host, args: JsonObject): Uint8Array {
  const from = boundedInteger(args.from ?? 0, 'from', 0, Number.MAX_SAFE_INTEGER);
  const limit = boundedInteger(args.limit ?? LIST_LIMIT_MAX, 'limit', 1, LIST_LIMIT_MAX);
  const { count } = totalsOf(host);
  const contracts: Json[] = [];
  for (let number = from; number < Math.min(count, from + limit); number++) {
    const row = deployedEntry(host, fromUtf8(host.get(deployedKey.at(number))!));
    const { address, name, owner, state, version, language, deployedBy, deployedAt, codeDigest } = row;
    contracts.push({ address, name, owner, state, version, language, deployedBy, deployedAt, codeDigest });
  }
  const next = from + contracts.length;
  return encodeJson({ contracts, count, next: next < count ? next : null });
}

function totalsOf(host: Host): DeployedTotals {
  const bytes = host.get(deployedKey.totals);
  return bytes === undefined ? { count: 0, imageBytes: 0 } : (JSON.parse(fromUtf8(bytes)) as DeployedTotals);
}

function putTotals(host: Host, totals: DeployedTotals): void {
  host.put(deployedKey.totals, encodeJson(totals as unknown as Json));
}

/** Up to 64 KiB of what a contract says about itself, each change of state included: reading and writing it again is paid by the byte. */
function rowOf(host: Host, address: string): DeployedContract {
  return paidJson(host, address, deployedKey.contract(address)) as unknown as DeployedContract;
}

function deployedEntry(host: Host, address: string): DeployedEntry {
  return paidJson(host, address, deployedKey.entry(address)) as unknown as DeployedEntry;
}

function paidJson(host: Host, address: string, key: string): Json {
  const bytes = host.get(key);
  if (bytes === undefined) throw new ContractFailure('CONTRACT_UNKNOWN', { contract: address });
  host.useGas(bytes.length * GAS_PER_ENTRY_JSON_BYTE);
  return JSON.parse(fromUtf8(bytes)) as Json;
}

function putRow(host: Host, row: DeployedContract): void {
  const { methods, queries, events, attestedBy, sourceDigest, ...entry } = row;
  host.put(deployedKey.contract(row.address), encodeJson(row as unknown as Json));
  host.put(deployedKey.entry(row.address), encodeJson(entry));
}

/** A contract must not act with the rights of whoever called it: these methods answer to the signer alone. */
function directSender(host: Host): string {
  const { sender } = host.transaction;
  if (host.caller !== sender) throw new ContractFailure('CONTRACT_CALLER_INDIRECT', { caller: host.caller });
  return sender;
}

/** Account ids are `name@organisation`. */
function organisationOf(account: string): string {
  return account.slice(account.lastIndexOf('@') + 1);
}

function holds(deps: DeployedContractDeps, host: Host, account: string, right: Right, object?: string): boolean {
  const read: Read = (contract, key) => readThrough(host, contract, key);
  return deps.may(read, account, right, object, host.block.timestampMs);
}

function addressOf(args: JsonObject): string {
  const { address } = args;
  if (typeof address !== 'string' || !ADDRESS.test(address)) throw invalid('address', '0x and 40 lower-case hex digits');
  return address;
}

/** Arguments of these methods: one JSON object, or a list that holds just it, canonical, with no name but the known ones. */
function objectOf(args: Uint8Array, names: readonly string[]): JsonObject {
  const value = decodeJson(args); // DecodeError ends as CONTRACT_ARGS_INVALID
  const given = Array.isArray(value) && value.length === 1 ? (value[0] as Json) : value;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid('', `an object of ${names.join(', ')}`);
  for (const name of Object.keys(given)) if (!names.includes(name)) throw invalid(name, `one of ${names.join(', ')}`);
  return given as JsonObject;
}

function boundedInteger(value: Json, name: string, min: number, max: number): number {
  if (typeof value !== 'number' || value < min || value > max) throw invalid(name, `an integer from ${min} to ${max}`);
  return value;
}

function invalid(path: string, expected: string): ContractFailure {
  return new ContractFailure('CONTRACT_ARGS_INVALID', { path: `/${path}`, expected });
}

function rightMissing(right: Right, account: string): ContractFailure {
  return new ContractFailure('CONTRACT_RIGHT_MISSING', { right, account });
}
