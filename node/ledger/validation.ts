/**
 * Judges any block handed in against this chain, check by check (`POST blocks/validation`; DB53/T 1407-2025 5.1.3.b, 6.3.2.a to e). Nothing is stored.
 * A block of a height that is final here is held against what was executed then; one on top of the head is executed.
 */
import { openFinality } from '../../consensus/index.ts';
import { ChainError } from '../errors/index.ts';
import {
  type Block,
  type Crypto,
  DecodeError,
  type Digest,
  decodeAll,
  decodeBlock,
  decodeHeader,
  encodeHeader,
  equalBytes,
  FINALITY_BYTES_MAX,
  isEngineName,
  headerHash,
  openTransaction,
  toHex,
  transactionHashOf,
  transactionSigningBytes,
  Writer,
} from '../format/index.ts';
import type { BlockCheck } from '../service.ts';
import type { VerifyPool } from '../world.ts';
import type { AccountView } from './admission.ts';
import type { BlockStore } from './block-store.ts';
import { blockCheckNames, check, checkFinality, checkHeader, type ParentFacts, rootWithPauses } from './checks.ts';
import type { Pause } from '../pace/index.ts';
import type { ExecutorPort } from './executor-port.ts';

/** The exact bytes `GET blocks/{ref}?form=raw` serves and validation takes: the block, and what proves it final where there is such a proof. */
export function encodeSealedBlock(block: Uint8Array, finality: Uint8Array | undefined): Uint8Array {
  return new Writer(block.length + 512)
    .bytes(block)
    .optional(finality, (w, bytes) => w.bytes(bytes))
    .finish();
}

/** @throws ChainError BLOCK_MALFORMED */
export function decodeSealedBlock(bytes: Uint8Array): {
  readonly block: Block;
  readonly blockBytes: Uint8Array;
  readonly finality: Uint8Array | undefined;
} {
  try {
    return decodeAll(bytes, (reader) => {
      const blockBytes = reader.bytes();
      const finality = reader.optional((r) => r.bytes(FINALITY_BYTES_MAX));
      const block = decodeBlock(blockBytes);
      if (finality && isEngineName(block.header.engine)) openFinality(block.header.engine, finality);
      return { block, blockBytes, finality };
    });
  } catch (error) {
    if (error instanceof DecodeError) throw new ChainError('BLOCK_MALFORMED', { reason: error.reason });
    throw error;
  }
}

export interface ValidationDependencies {
  readonly crypto: Crypto;
  readonly verifier: VerifyPool;
  readonly blocks: BlockStore;
  readonly executor: ExecutorPort;
  readonly tip: () => ParentFacts;
  /** Account with all its keys, revoked ones too: a key may have been revoked after it signed. */
  readonly account: (id: string) => AccountView | undefined;
  /** This node's clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A block of megabytes and thousands of transactions must not hold the thread. */
  readonly pause: Pause;
}

export async function validateSealedBlock(deps: ValidationDependencies, bytes: Uint8Array): Promise<readonly BlockCheck[]> {
  const { block, finality } = decodeSealedBlock(bytes);
  const { header } = block;
  const hash = headerHash(deps.crypto, encodeHeader(header));
  const parent = await parentOf(deps, header.height);
  if (!parent) {
    const head = deps.tip().height;
    return blockCheckNames.map((name) => check(name, `not judged: heights 1 to ${head + 1} can be`, `height ${header.height}`, false));
  }
  const hashes: Digest[] = [];
  for (const transaction of block.transactions) {
    hashes.push(transactionHashOf(deps.crypto, transaction));
    await deps.pause();
  }
  const txRoot = await rootWithPauses(deps.crypto, hashes, deps.pause);
  const bytesTotal = block.transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  const checks = withDrift(
    checkHeader(deps.crypto, header, hash, block.seal, hashes, bytesTotal, parent, txRoot),
    header.timestampMs,
    parent,
    deps.nowMs(),
  );
  checks.push(...(await headerHashChecks(deps, hash, block, finality, parent)));
  checks.push(await checkSignatures(deps, block));
  checks.push(...(await checkRoots(deps, block)));
  return blockCheckNames.flatMap((name) => {
    const made = checks.filter((entry) => entry.check === name);
    return made.find((entry) => !entry.passed) ?? made[0] ?? [];
  });
}

/**
 * A time further ahead than any honest proposer's clock fails too (6.3.2.b). Only here and for a fresh proposal: what was agreed on stays valid,
 * so sync and replay never ask a clock.
 */
function withDrift(checks: readonly BlockCheck[], timestampMs: number, parent: ParentFacts, nowMs: number): BlockCheck[] {
  const latest = nowMs + parent.configuration.parameters.clockDriftMaxMs;
  return checks.map((made) =>
    made.check === 'timestamp' && made.passed
      ? check('timestamp', `from ${parent.timestampMs} to ${latest}`, made.stated, timestampMs <= latest)
      : made,
  );
}

async function parentOf(deps: ValidationDependencies, height: number): Promise<ParentFacts | undefined> {
  const tip = deps.tip();
  if (height === tip.height + 1) return tip;
  if (height < 1 || height > tip.height) return undefined;
  const bytes = deps.blocks.headerBytes(height - 1);
  if (!bytes) return undefined;
  const header = decodeHeader(bytes);
  return {
    hash: headerHash(deps.crypto, bytes),
    height: header.height,
    timestampMs: header.timestampMs,
    era: header.era,
    chainId: header.chainId,
    configuration: await deps.blocks.configuration(height),
  };
}

async function headerHashChecks(
  deps: ValidationDependencies,
  hash: Digest,
  block: Block,
  finality: Uint8Array | undefined,
  parent: ParentFacts,
): Promise<BlockCheck[]> {
  const { header } = block;
  if (finality) return checkFinality(deps.crypto, parent.chainId, hash, header, finality, parent.configuration);
  const final = deps.blocks.headerBytes(header.height);
  if (!final) return []; // a proposal without votes: nothing states another hash
  return [check('headerHash', toHex(hash), toHex(headerHash(deps.crypto, final)))];
}

async function checkSignatures(deps: ValidationDependencies, block: Block): Promise<BlockCheck> {
  for (const [index, bytes] of block.transactions.entries()) {
    const fault = await signatureFault(deps, bytes);
    if (fault) return check('transactionSignatures', `transaction ${index}: ${fault}`, 'every signature verifies');
  }
  return check('transactionSignatures', 'every signature verifies', 'every signature verifies');
}

async function signatureFault(deps: ValidationDependencies, bytes: Uint8Array): Promise<string | undefined> {
  try {
    const { transaction, id } = openTransaction(deps.crypto, bytes);
    const key = deps.account(transaction.sender)?.keys.get(transaction.keyId);
    if (!key) return 'sender or key unknown';
    const valid = await deps.verifier.verify(transaction.suite, key.publicKey, transactionSigningBytes(id), transaction.signature);
    return valid ? undefined : 'signature does not verify';
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

/** Whether the transactions are those of the block stored at this height. */
async function isStored({ blocks, pause }: ValidationDependencies, { header, transactions }: Block): Promise<boolean> {
  const stored = (await blocks.block(header.height))?.transactions;
  if (stored?.length !== transactions.length) return false;
  for (const [i, bytes] of transactions.entries()) {
    if (!equalBytes(bytes, stored[i]!)) return false;
    await pause();
  }
  return true;
}

/** Both roots, and what else the executor refuses the block for. */
async function checkRoots(deps: ValidationDependencies, block: Block): Promise<BlockCheck[]> {
  const { header } = block;
  const finalBytes = deps.blocks.headerBytes(header.height);
  if (finalBytes) {
    const final = decodeHeader(finalBytes);
    const same = await isStored(deps, block);
    await deps.pause();
    const receipts = (await deps.blocks.receiptBytes(header.height)) ?? [];
    const other = 'the transactions are not those executed at this height';
    return [
      check('receiptsRoot', same ? toHex(await rootWithPauses(deps.crypto, receipts, deps.pause)) : other, toHex(header.receiptsRoot)),
      check('stateRoot', same ? toHex(final.stateRoot) : other, toHex(header.stateRoot)),
    ];
  }
  const transactions: { readonly bytes: Uint8Array; readonly publicKey: Uint8Array }[] = [];
  for (const bytes of block.transactions) {
    const { transaction } = openTransactionOrEmpty(deps.crypto, bytes);
    const key = transaction && deps.account(transaction.sender)?.keys.get(transaction.keyId);
    transactions.push({ bytes, publicKey: key?.publicKey ?? new Uint8Array(0) });
    await deps.pause();
  }
  if (transactions.some((transaction) => transaction.publicKey.length === 0)) {
    const reason = 'not executed: a transaction has no known signer';
    return [check('receiptsRoot', reason, toHex(header.receiptsRoot)), check('stateRoot', reason, toHex(header.stateRoot))];
  }
  const executed = await deps.executor.execute({ headerBytes: encodeHeader(header), transactions });
  const judged = executed.failed.every((entry) => entry.check === 'receiptsRoot' || entry.check === 'stateRoot');
  const of = (name: 'receiptsRoot' | 'stateRoot', stated: Digest): BlockCheck =>
    check(name, judged ? toHex(stated) : 'not executed: an earlier check failed', toHex(stated));
  return [...executed.failed, of('receiptsRoot', header.receiptsRoot), of('stateRoot', header.stateRoot)];
}

function openTransactionOrEmpty(crypto: Crypto, bytes: Uint8Array): Partial<ReturnType<typeof openTransaction>> {
  try {
    return openTransaction(crypto, bytes);
  } catch {
    return {};
  }
}
