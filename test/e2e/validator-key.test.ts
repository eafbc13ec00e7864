/** A validator's key is replaced while the chain runs: made on the node by the command line, named by governance, and it signs from then on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { passProposal } from '../conformance/governance.ts';
import { production, submit } from '../conformance/records.ts';
import { startTestNet } from './net.ts';

const REPLACED = 2; // index of the node
const BLOCKS_MAX = 40; // within which a validator that votes is in a certificate

test('a new validator key is made on the node, proposed as printed, and the node votes and seals with it', async () => {
  const { net, context, stop } = await startTestNet('validator-key');
  try {
    const node = net.nodes[REPLACED]!;
    const { id, validatorKey } = context.genesis.nodes[REPLACED]!;
    await submit(context, production(context));
    await node.kill('SIGKILL');
    const passphrase = ['--passphrase-file', join(node.dir, 'passphrase')];
    const made = await context.cli(REPLACED, ['keys', 'new-validator', id, join(node.dir, 'keystore.json'), ...passphrase]);
    assert.equal(made.exitCode, 0, made.stderr);
    const { proposal } = JSON.parse(made.stdout) as { proposal: { kind: string; id: string; validatorKey: string } };
    assert.deepEqual([proposal.kind, proposal.id, proposal.validatorKey === validatorKey], ['replaceValidatorKey', id, false]);
    await node.restart();
    /** Whether it voted or proposed in one of the next blocks, all of which three others need. */
    const takesPart = async (): Promise<void> => {
      const from = await context.height(0);
      for (let block = 1; block <= BLOCKS_MAX; block++) {
        const { height } = await submit(context, production(context));
        const { certificate, header } = await context.get(0, `blocks/${height}`);
        if (height <= from) continue;
        if (header.proposer === id) return; // its seal was checked by all
        if (certificate.votes.some((vote: { node: string }) => vote.node === id)) return;
      }
      assert.fail(`${id} is in no certificate of ${BLOCKS_MAX} blocks`);
    };
    await takesPart(); // with the key it has
    await passProposal(context, proposal);
    assert.equal((await context.get(0, `nodes/${id}`)).data.validatorKey, proposal.validatorKey);
    await takesPart();
    await node.kill('SIGKILL');
    await node.restart(); // the first key that it finds is the old one
    await takesPart();
  } finally {
    await stop();
  }
});
