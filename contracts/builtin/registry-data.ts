/**
 * `data` of the entries an organisation keeps beside its accounts: factories, devices, record classes, mappings, interfaces, agreements,
 * authorisations, documents (design: api, "Registry entries"). Papers stay outside; where there is one, the entry holds its digest.
 */
import { encodeJson, equalBytes } from '../../node/format/index.ts';
import { type Host, ContractFailure } from '../types.ts';
import { entryOf, type Read } from './access.ts';
import type { Arguments } from './arguments.ts';
import { builtinClass, MAP_NAMES_MAX, readClass } from '../classes/index.ts';
import type { RegistryEntry } from './layout.ts';
import { titleProblem } from './names.ts';

/** Organisations an agreement may bind, beside its owner. */
export const PARTIES_MAX = 64;
/** Bytes of `data` of any entry. */
export const ENTRY_DATA_BYTES_MAX = 65_536;
/** Gas of judging a class, for each byte of its data. */
export const GAS_PER_CLASS_DATA_BYTE = 6_000;
const DOCUMENT_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/** What a change says about one entry. */
export interface DataChange {
  readonly id: string;
  readonly organisation: string;
  /** `documentDigest` of the entry. */
  readonly documentDigest: string | null;
  readonly before: RegistryEntry | undefined;
}

export type DataReader = (host: Host, read: Read, args: Arguments, change: DataChange) => RegistryEntry['data'];

/** Each reads `args.data`; faults are named there. */
export const dataReaders = {
  /** `{name}` */
  factory: (_host, _read, args) => ({ name: args.object('data').text('name', titleProblem) }),
  /** `{factory}` of the same organisation */
  device: (_host, read, args, { organisation }) => {
    const data = args.object('data');
    const factory = data.text('factory');
    if (entryOf(read, 'factory', factory)?.owner !== organisation) data.fault('factory', 'is not a factory of your organisation');
    return { factory };
  },
  class: readClassData,
  /** `{name, class, format}`: how texts of a format become records of a class; the rules are the document. */
  mapping: (_host, read, args, change) => {
    const data = args.object('data');
    const recordClass = data.text('class', (name) =>
      builtinClass(name) || entryOf(read, 'class', name) ? undefined : 'is no class of this chain',
    );
    requireDocument(args, change);
    return { name: data.text('name', titleProblem), class: recordClass, format: data.text('format', titleProblem) };
  },
  /** `{name, system}`: a way in from a system of the organisation; records name it in `source.interfaceId`. */
  interface: (_host, _read, args) => {
    const data = args.object('data');
    return { name: data.text('name', titleProblem), system: data.text('system', titleProblem) };
  },
  /** `{name, parties}`: organisations beside the owner that the document binds. */
  agreement: (_host, read, args, change) => {
    const data = args.object('data');
    requireDocument(args, change);
    return {
      name: data.text('name', titleProblem),
      parties: data.texts('parties', 1, PARTIES_MAX, (party) => partyProblem(read, party, change.organisation)),
    };
  },
  /** `{name, grantee, purpose}`: what the owner allows another organisation; rights on the chain are grants of `access`. */
  authorisation: (_host, read, args, change) => {
    const data = args.object('data');
    requireDocument(args, change);
    return {
      name: data.text('name', titleProblem),
      grantee: data.text('grantee', (party) => partyProblem(read, party, change.organisation)),
      purpose: data.text('purpose', titleProblem),
    };
  },
  /** `{name, mediaType, bytes}` */
  document: (_host, _read, args, change) => {
    const data = args.object('data');
    requireDocument(args, change);
    const mediaType = data.text('mediaType', (text) =>
      /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$/.test(text) ? undefined : 'must be a media type',
    );
    return { name: data.text('name', titleProblem), mediaType, bytes: data.integer('bytes', 0, DOCUMENT_BYTES_MAX) };
  },
} as const satisfies Record<string, DataReader>;

/**
 * The definition of a record class. A change has the next version and the same key: what identifies a record may not depend on when it was
 * written. The same definition again is no new version, so that terms can change alone.
 */
function readClassData(host: Host, _read: Read, args: Arguments, { id, before }: DataChange): RegistryEntry['data'] {
  const data = args.json('data');
  const bytes = encodeJson(data);
  if (bytes.length > ENTRY_DATA_BYTES_MAX) {
    args.fault('data', `must have at most ${ENTRY_DATA_BYTES_MAX} bytes`);
    return data;
  }
  host.useGas(GAS_PER_CLASS_DATA_BYTE * bytes.length);
  if (builtinClass(id)) throw new ContractFailure('REGISTRY_ENTRY_KNOWN', { kind: 'class', id });
  const same = before !== undefined && equalBytes(encodeJson(before.data), bytes);
  const reading = readClass(data, same ? undefined : MAP_NAMES_MAX);
  if (!reading.ok) {
    args.fault(`data/${reading.reason.split('.').join('/')}`, 'is not what the schema language of classes allows');
    return data;
  }
  const { definition } = reading;
  if (definition.name !== id) args.fault('data/name', 'must be the id of the entry');
  const held = before?.data as { readonly version: number; readonly key: readonly string[] } | undefined;
  const expected = same ? definition.version : (held?.version ?? 0) + 1;
  if (definition.version !== expected) args.fault('data/version', `must be ${expected}`);
  if (held && definition.key.join('\n') !== held.key.join('\n'))
    args.fault('data/key', 'cannot change: it identifies the records there are');
  return data;
}

function requireDocument(args: Arguments, { documentDigest }: DataChange): void {
  if (documentDigest === null) args.fault('documentDigest', 'is missing');
}

function partyProblem(read: Read, party: string, organisation: string): string | undefined {
  if (party === organisation) return 'is your own organisation';
  return entryOf(read, 'organisation', party) ? undefined : 'is no organisation of this chain';
}
