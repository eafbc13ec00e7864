/** The receipt names block height, block hash, transaction id and an inclusion proof; small scripts that know nothing of the program verify them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Probe } from '../clause.ts';
import { rawBlock } from '../blocks.ts';
import { type Envelope, PATIENCE_MS, type ProbeContext } from '../context.ts';
import { readHeader, readRawBlock, rootOfPath, transactionId } from '../independent.ts';
import { production, submit } from '../records.ts';
import { ROOT } from '../../tools/source.ts';

type Receipt = Envelope['data'];

/** What the receipt says of itself, judged with node:crypto alone. @throws when it does not hold */
function checkInclusion({ inclusionProof: proof, height, blockHash, transactionId: id }: Receipt): void {
  const header = readHeader(Buffer.from(proof.header, 'hex'));
  assert.equal(header.hash, blockHash, 'the header of the proof is that of the block named');
  assert.equal(header.height, height);
  const receipt = Buffer.from(proof.receipt, 'hex');
  assert.equal(receipt.subarray(0, 32).toString('hex'), id, 'the receipt is that of the transaction named');
  const path = (proof.path as readonly string[]).map((sibling) => Buffer.from(sibling, 'hex'));
  const root = rootOfPath(receipt, proof.index, proof.count, path).toString('hex');
  assert.equal(root, header.fields.receiptsRoot!.bytes.toString('hex'), 'the path leads to receiptsRoot');
}

async function bundleOf(context: ProbeContext, receipt: Receipt): Promise<Record<string, unknown>> {
  const answer = await context.until('the proof of a record', PATIENCE_MS, async () => {
    const tried = await context.call(context.actor.node, 'GET', `records/${receipt.records[0].id}/proof`, {
      query: { transaction: 'true' },
    });
    return tried.status === 200 && tried;
  });
  return answer.json.data;
}

/** Exit code of the script of 150 lines that imports node:crypto and node:fs only. */
function script(context: ProbeContext, bundle: unknown): Promise<number> {
  const files = [context.file('bundle.json', JSON.stringify(bundle)), context.file('genesis.json', context.net.genesisText)];
  return new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'node/verify/verify-evidence.mjs'), ...files], (error) => {
      resolve(error === null ? 0 : typeof error.code === 'number' ? error.code : 1);
    });
  });
}

/** One byte of a base64url text changed, the text still canonical. */
function flipped(text: string, at: number): string {
  const bytes = Buffer.from(text, 'base64url');
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes.toString('base64url');
}

export const probe: Probe = {
  id: '6.1.1.c',
  async prove(context) {
    const receipt = await submit(context, production(context));
    checkInclusion(receipt);
    const block = readRawBlock(await rawBlock(context, receipt.height, context.actor.node));
    assert.equal(block.header.hash, receipt.blockHash, 'the block hash named is that of the block served');
    const ids = block.transactions.map(({ bytes }) => transactionId(bytes));
    assert.equal(ids[receipt.inclusionProof.index], receipt.transactionId, 'the transaction named stands where the proof says');
    const bundle = await bundleOf(context, receipt);
    assert.equal(await script(context, bundle), 0, 'the script alone accepts the bundle');
    const verified = await context.cli(context.actor.node, [
      'verify',
      context.file('bundle.json', JSON.stringify(bundle)),
      '--genesis',
      context.file('genesis.json', context.net.genesisText),
    ]);
    assert.equal(verified.exitCode, 0, `${verified.stdout}${verified.stderr}`);
  },
  async twin(context) {
    const receipt = await submit(context, production(context));
    const other = await submit(context, production(context));
    const { inclusionProof: proof } = receipt;
    const wrong: readonly object[] = [
      { ...receipt, transactionId: other.transactionId },
      { ...receipt, blockHash: other.height === receipt.height ? 'f'.repeat(64) : other.blockHash },
      { ...receipt, height: receipt.height + 1 },
      { ...receipt, inclusionProof: { ...proof, receipt: other.inclusionProof.receipt } },
      { ...receipt, inclusionProof: { ...proof, path: [...proof.path, 'a'.repeat(64)] } },
      { ...receipt, inclusionProof: { ...proof, header: proof.header.replace(/.$/, (digit: string) => (digit === '0' ? '1' : '0')) } },
    ];
    for (const [i, altered] of wrong.entries()) assert.throws(() => checkInclusion(altered), Error, `altered receipt ${i}`);

    // biome-ignore lint/suspicious/noExplicitAny: members of a bundle are altered one by one
    const bundle = (await bundleOf(context, receipt)) as any;
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const foreign = (await bundleOf(context, other)) as any;
    const { state, inclusion } = bundle;
    for (const [what, altered] of Object.entries({
      'the map proof': { ...bundle, proof: flipped(bundle.proof, -1) },
      'the stored value': { ...bundle, value: flipped(bundle.value, -1) },
      'a signature of the certificate': { ...bundle, state: { ...state, certificate: flipped(state.certificate, -1) } },
      'the certified header': { ...bundle, state: { ...state, header: flipped(state.header, -1) } },
      'a signature under the block of the transaction': {
        ...bundle,
        inclusion: { ...inclusion, certificate: flipped(inclusion.certificate, -1) },
      },
      'the transaction': { ...bundle, inclusion: { ...inclusion, transaction: flipped(inclusion.transaction, -1) } },
      'the receipt': { ...bundle, inclusion: { ...inclusion, receipt: flipped(inclusion.receipt, -1) } },
      'the transaction of another record': { ...bundle, inclusion: foreign.inclusion },
      'the key of another record': { ...bundle, key: foreign.key },
      'the stored value of another record': { ...bundle, value: foreign.value },
      'the proof of another record': { ...bundle, proof: foreign.proof },
    })) {
      if (what === 'the proof of another record' && JSON.stringify(altered.proof) === JSON.stringify(bundle.proof)) continue; // two records in one bucket have one proof
      assert.notEqual(await script(context, altered), 0, `${what} was changed unnoticed`);
    }
  },
};
