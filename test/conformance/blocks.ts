/** Blocks for probes: the exact bytes a node serves, changed in one place, judged by name. */
import assert from 'node:assert/strict';
import { type Certificate, decodeCertificate, encodeCertificate } from '../../consensus/pbft/certificates.ts';
import { type Block, decodeAll, decodeBlock, encodeBlock, type Header, Writer } from '../../node/format/index.ts';
import { createHash } from 'node:crypto';
import type { ProbeContext } from './context.ts';

export interface Check {
  readonly check: string;
  readonly passed: boolean;
  readonly computed: string;
  readonly stated: string;
}

export const hash = { hash: (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest()) };

export async function rawBlock(context: ProbeContext, ref: number | string, node = 0): Promise<Buffer> {
  const answer = await context.call(node, 'GET', `blocks/${ref}`, { query: { form: 'raw' }, accept: 'application/octet-stream' });
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  return answer.bytes;
}

/** A block with the certificate that makes it final: what the raw form holds. */
export interface SealedBlock extends Block {
  readonly certificate: Certificate | undefined;
}

/** Reads the raw form: the block's bytes, and the certificate's where there is one. */
export function openBlock(bytes: Uint8Array): SealedBlock {
  return decodeAll(bytes, (reader) => {
    const block = decodeBlock(reader.bytes());
    return { ...block, certificate: reader.optional((r) => decodeCertificate(r.bytes())) };
  });
}

function sealBlock(block: SealedBlock): Uint8Array {
  const certificate = block.certificate && encodeCertificate(block.certificate);
  return new Writer()
    .bytes(encodeBlock(block))
    .optional(certificate, (writer, bytes) => writer.bytes(bytes))
    .finish();
}

/** A final block that holds a transaction. */
export async function fullBlock(context: ProbeContext, height: number): Promise<SealedBlock> {
  const block = openBlock(await rawBlock(context, height));
  assert.equal(block.transactions.length > 0, true, `block ${height} holds no transaction`);
  return block;
}

export async function judge(context: ProbeContext, block: SealedBlock | Uint8Array, node = 0): Promise<readonly Check[]> {
  const bytes = block instanceof Uint8Array ? block : sealBlock(block);
  const answer = await context.call(node, 'POST', 'blocks/validation', { body: bytes, type: 'application/octet-stream' });
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  return answer.json.data.checks as readonly Check[];
}

/** Names of the checks that failed. */
export function failed(checks: readonly Check[]): readonly string[] {
  return checks.filter((check) => !check.passed).map((check) => check.check);
}

/** The check whose name matches must be among `checks`, with the verdict given. */
export function assertCheck(checks: readonly Check[], name: RegExp, passed: boolean): Check {
  const found = checks.find((check) => name.test(check.check));
  assert.ok(found, `no check named like ${name} among ${checks.map((check) => check.check).join(', ')}`);
  assert.equal(found.passed, passed, `${found.check}: computed ${found.computed}, stated ${found.stated}`);
  return found;
}

export function withHeader(block: SealedBlock, changes: Partial<Header>): SealedBlock {
  return { ...block, header: { ...block.header, ...changes } };
}
