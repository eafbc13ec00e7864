/** Store keys of the ledger's rows: a prefix of the keyspace table and what follows it. Heights are eight bytes big-endian, so rows sort by height. */
import { type ByteText, type Digest, toByteText } from '../format/index.ts';
import { keyspace, u64Key } from '../store/index.ts';

/** Form of the rows and files of a ledger: another number is another program's directory, and the executor does not open it. */
export const LEDGER_FORM = 1;

export const ledgerKey = {
  head: `${keyspace.meta}head` as ByteText,
  genesis: `${keyspace.meta}genesis` as ByteText,
  form: `${keyspace.meta}form` as ByteText,
  header: (height: number): ByteText => keyspace.header + u64Key(height),
  body: (height: number): ByteText => keyspace.body + u64Key(height),
  certificate: (height: number): ByteText => keyspace.certificate + u64Key(height),
  receipts: (height: number): ByteText => keyspace.receipts + u64Key(height),
  undo: (height: number): ByteText => keyspace.undo + u64Key(height),
  configuration: (height: number): ByteText => keyspace.configuration + u64Key(height),
  heightOfHash: (hash: Digest): ByteText => keyspace.heightByHash + toByteText(hash),
  position: (transactionId: Digest): ByteText => keyspace.positionById + toByteText(transactionId),
  state: (key: ByteText): ByteText => keyspace.state + key,
  stateValue: (height: number, key: ByteText): ByteText => keyspace.stateValue + u64Key(height) + key,
  contractImage: (codeDigest: string): ByteText => keyspace.contractImage + codeDigest,
  mapChanges: (height: number): ByteText => keyspace.mapChanges + u64Key(height),
  mapFrames: (height: number): ByteText => keyspace.mapSnapshot + u64Key(height),
  mapFrame: (height: number, number: number): ByteText => keyspace.mapSnapshot + u64Key(height) + u64Key(number),
  mapSnapshot: `${keyspace.meta}snapshot` as ByteText,
} as const;
