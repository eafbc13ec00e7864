/** The rules of `records` that read other contracts' state: who may write, in whose name, and by which class. */
import type { ErrorCode } from '../../node/errors/index.ts';
import { type ByteText, type Json, type RecordPath, type RecordVersion, toHex } from '../../node/format/index.ts';
import { ContractFailure, type Host } from '../types.ts';
import { builtinClass, type ClassDefinition, readClass, type RecordFacts } from '../classes/index.ts';
import { entryFrom, entryOf, isGranted, isInForce, may, type Read } from './access.ts';
import { CONTRACT, type RegistryEntry, registryKey, type Right } from './layout.ts';
import { organisationOf } from './names.ts';

/** Gas of opening a registered class, for each byte of its entry. */
export const GAS_PER_CLASS_BYTE = 4_000;

/** What the checks read; the node asks the same questions before it signs. */
export type Reading = Pick<Host, 'read' | 'block'> & Partial<Pick<Host, 'cached'>>;

function cached<T>(host: Reading, question: string, find: () => T): T {
  return host.cached ? host.cached(question, find) : find();
}

/** Facts of one fault as they stand in a receipt. */
export function failure(code: ErrorCode, record: number, path: RecordPath, data: Readonly<Record<string, Json>> = {}): ContractFailure {
  return new ContractFailure(code, { record, path: path.map(String), ...data });
}

/** Facts of RECORD_KEY_CONFLICT, wherever it is found: by the contract, before signing, or between two rows of one call. */
export interface KeyConflict {
  /** Hex. */
  readonly id: string;
  /** Index of the row of the same call that holds the key with other content; null when the chain does. */
  readonly sameKeyAs: number | null;
  /**
   * Decimal; "0" while the chain holds nothing under the key. The members below are null then, and for an account that may not read the
   * record.
   */
  readonly currentVersion: string;
  readonly state: string | null;
  /** Hex, of the current version. */
  readonly recordDigest: string | null;
  /** Where the first version stands. */
  readonly height: number | null;
  /** Hex. */
  readonly transactionId: string | null;
}

const UNDISCLOSED = { state: null, recordDigest: null, height: null, transactionId: null };

/** @param visible whether the writer may read what the chain holds: a digest of short content can be guessed from. */
export function keyConflict(
  recordId: Uint8Array,
  { first, latest, current }: { readonly first: RecordVersion; readonly latest: RecordVersion; readonly current: number },
  visible: boolean,
): KeyConflict {
  const known = { id: toHex(recordId), sameKeyAs: null, currentVersion: `${current}` };
  if (!visible) return { ...known, ...UNDISCLOSED };
  return {
    ...known,
    state: latest.state,
    recordDigest: toHex(latest.recordDigest),
    height: first.height,
    transactionId: toHex(first.transactionId),
  };
}

export function twinConflict(recordId: Uint8Array, sameKeyAs: number): KeyConflict {
  return { id: toHex(recordId), sameKeyAs, currentVersion: '0', ...UNDISCLOSED };
}

/**
 * Whether an account sees a record: it wrote the first version, or may read everybody's. To an account that does not see a record it does
 * not exist.
 */
export function seesRecord(read: Read, account: string, first: RecordVersion, atMs?: number): boolean {
  return first.actor === account || may(read, account, 'record:read', undefined, atMs);
}

/** Organisation of the sender. @throws ContractFailure when a contract calls in somebody's name or the sender lacks the right. */
export function senderOrganisation(host: Host, right: Right): string {
  const { sender } = host.transaction;
  if (host.caller !== sender) throw new ContractFailure('RECORD_CALLER_CONTRACT', { caller: host.caller });
  const { timestampMs } = host.block; // a suspended organisation and an account past its validity have no rights
  const holder = (): string | undefined =>
    may((contract, key) => host.read(contract, key), sender, right, undefined, timestampMs) ? organisationOf(sender) : undefined;
  const org = host.cached(`right\0${right}\0${sender}`, holder);
  if (org === undefined) throw new ContractFailure('RECORD_RIGHT_MISSING', { right, account: sender });
  return org;
}

/** The class as it stands now; `version` is what the writer prepared for, undefined for whatever stands. @throws ContractFailure */
export function loadClass(
  host: Reading & Partial<Pick<Host, 'useGas'>>,
  name: string,
  version: number | undefined,
  record: number,
): ClassDefinition {
  const definition = builtinClass(name) ?? registeredClass(host, name);
  if (!definition) throw failure('RECORD_CLASS_UNKNOWN', record, [], { class: name });
  if (version !== undefined && definition.version !== version)
    throw failure('RECORD_CLASS_VERSION', record, [], { class: name, stated: `${version}`, current: `${definition.version}` });
  return definition;
}

/** Judged once for the entry's bytes, and paid for each time: gas must not depend on what a replica remembers. */
const definitions = new WeakMap<RegistryEntry<'class'>, ClassDefinition>();

function registeredClass(host: Reading & Partial<Pick<Host, 'useGas'>>, name: string): ClassDefinition | undefined {
  const bytes = host.read(CONTRACT.registry, registryKey.entry('class', name));
  if (!bytes) return undefined;
  host.useGas?.(GAS_PER_CLASS_BYTE * bytes.length);
  const entry = entryFrom<'class'>(bytes);
  if (!isInForce(entry, host.block.timestampMs)) return undefined;
  const known = definitions.get(entry);
  if (known) return known;
  const reading = readClass(entry.data);
  if (!reading.ok || reading.definition.name !== name) return undefined;
  definitions.set(entry, reading.definition);
  return reading.definition;
}

/**
 * The class as it stood in one of its versions, looked for in the registry's history. No version is below one before it, since a change of
 * the definition takes the next (registry-data.ts).
 * @param useGas pays for every entry that is opened; absent where a node asks for itself
 */
export function classAt(read: Read, name: string, version: number, useGas?: (units: number) => void): ClassDefinition | undefined {
  const builtin = builtinClass(name);
  if (builtin) return builtin.version === version ? builtin : undefined;
  const entryAt = (key: ByteText): RegistryEntry<'class'> | undefined => {
    const bytes = read(CONTRACT.registry, key);
    if (bytes) useGas?.(GAS_PER_CLASS_BYTE * bytes.length);
    return bytes && entryFrom<'class'>(bytes);
  };
  let entry = entryAt(registryKey.entry('class', name));
  let [first, last] = [1, entry?.version ?? 0];
  while (entry && entry.data.version !== version && first <= last) {
    const middle = Math.floor((first + last) / 2);
    entry = entryAt(registryKey.version('class', name, middle));
    if ((entry?.data.version as number) < version) first = middle + 1;
    else last = middle - 1;
  }
  const reading = entry && readClass(entry.data);
  return reading?.ok && reading.definition.version === version ? reading.definition : undefined;
}

/** Said of what nothing is wrong with. */
const FINE = 'fine';

/** What the records of one call have asked: none asks again what one before it did. */
export class Asked {
  readonly factories = new Map<string, ErrorCode | typeof FINE>();
  readonly devices = new Map<string, ErrorCode | typeof FINE>();
  /** By class. */
  readonly mappings = new Map<string, Map<string, ErrorCode | typeof FINE>>();
}

/**
 * The faults of a record's factory and devices: each must belong to the writer's organisation or be granted to it. The next is looked for
 * once `refuse` has taken one; where it throws, nothing more is read.
 */
export function ownershipFaults(
  host: Reading,
  org: string,
  definition: ClassDefinition,
  { factory, devices }: Pick<RecordFacts, 'factory' | 'devices'>,
  record: number,
  asked: Asked,
  refuse: (fault: ContractFailure) => void,
): void {
  if (factory !== undefined) {
    const code = asked.factories.get(factory) ?? askOwner(host, org, 'factory', factory, asked.factories);
    if (code !== FINE) refuse(failure(code, record, (definition.facts.factory ?? '').split('.'), { factory }));
  }
  for (const device of devices) {
    const code = asked.devices.get(device) ?? askOwner(host, org, 'device', device, asked.devices);
    if (code !== FINE) refuse(failure(code, record, (definition.facts.device ?? 'ext.device_id').split('.'), { device }));
  }
}

function askOwner(
  host: Reading,
  org: string,
  kind: 'factory' | 'device',
  id: string,
  asked: Map<string, ErrorCode | typeof FINE>,
): ErrorCode | typeof FINE {
  const code = cached(host, `owner\0${org}\0${kind}/${id}`, () => ownershipFault(host, org, kind, id)) ?? FINE;
  asked.set(id, code);
  return code;
}

function ownershipFault(host: Reading, org: string, kind: 'factory' | 'device', id: string): ErrorCode | undefined {
  const read: Read = (contract, key) => host.read(contract, key);
  const entry = entryOf(read, kind, id);
  if (!entry) return kind === 'factory' ? 'RECORD_FACTORY_UNKNOWN' : 'RECORD_DEVICE_UNKNOWN';
  const { timestampMs } = host.block;
  if (!isInForce(entry, timestampMs)) return kind === 'factory' ? 'RECORD_FACTORY_UNKNOWN' : 'RECORD_DEVICE_UNKNOWN';
  if (entry.owner === org || isGranted(read, entry.owner, 'record:submit', `${kind}/${id}`, org, timestampMs)) return undefined;
  return kind === 'factory' ? 'RECORD_FACTORY_FOREIGN' : 'RECORD_DEVICE_FOREIGN';
}

/**
 * Whether each mapping that a record says filled in values is registered, in force and for its class: a reader of the record finds the
 * rules there. A mapping of any organisation will do. `refuse` as above.
 */
export function mappingFaults(
  host: Reading,
  { name: recordClass }: ClassDefinition,
  { mappings }: Pick<RecordFacts, 'mappings'>,
  record: number,
  asked: Asked,
  refuse: (fault: ContractFailure) => void,
): void {
  for (const mapping of mappings) {
    const code = asked.mappings.get(recordClass)?.get(mapping) ?? askMapping(host, recordClass, mapping, asked);
    if (code !== FINE) refuse(failure(code, record, ['ext', 'filled'], { mapping }));
  }
}

function askMapping(host: Reading, recordClass: string, mapping: string, { mappings }: Asked): ErrorCode | typeof FINE {
  const question = `mapping\0mapping/${recordClass}/${mapping}`;
  const code = cached(host, question, () => mappingFault(host, recordClass, mapping)) ?? FINE;
  const ofClass = mappings.get(recordClass) ?? new Map<string, ErrorCode | typeof FINE>();
  mappings.set(recordClass, ofClass.set(mapping, code));
  return code;
}

function mappingFault(host: Reading, recordClass: string, mapping: string): ErrorCode | undefined {
  const entry = entryOf((contract, key) => host.read(contract, key), 'mapping', mapping);
  const fits = isInForce(entry, host.block.timestampMs) && entry?.data.class === recordClass;
  return fits ? undefined : 'RECORD_MAPPING_UNKNOWN';
}
