/** The gas limit of calls that the node signs for others: near what a trial used, unless the caller names one. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { currentOtp } from '../one-time-code.ts';
import { VOTE_GAS } from '../../../../api/rest/routes/governance.ts';
import { TRIAL_GAS_FACTOR, TRIAL_GAS_SPARE } from '../../../../api/rest/routes/submission.ts';
import {
  CONTRACT,
  createBuiltins,
  deployedKey,
  executeTransaction,
  type Genesis,
  genesisWrites,
  stateKey,
} from '../../../../contracts/index.ts';
import { type Call, defaultParameters, encodeJson, fromUtf8, type Json, VALIDATORS_MAX } from '../../../../node/format/index.ts';
import { TRIAL_GAS_MAX } from '../../../../node/ledger/reader.ts';
import { acceptKey, nodeData, testGenesis } from '../../contracts/builtin/chain.ts';
import { SENDER_GAS_PER_SECOND, SENDER_GAS_SAVED_MS } from '../../../../node/chain/mempool/gas-shares.ts';
import { block, call, Chain, json, newMachine } from '../../contracts/workbench.ts';
import { createRig, type Rig } from '../stand-ins.ts';

const { transactionGasMax } = defaultParameters();
/** The longer its list, the dearer a note. */
const NOTES = `contract({ methods: {
  note(ctx, text) { const all = ctx.get('notes') ?? []; ctx.put('notes', [...all, text]); return all.length; },
  spin(ctx, turns) { let n = 0; for (let i = 0; i < turns; i++) n += i % 7; return n; },
} });`;

let rig: Rig;
let chain: Chain;
let address: string;
let secret: string;
/** What was signed, and what the trials used. */
const limits: number[] = [];
const tried: number[] = [];
let signed: readonly Call[];

before(async () => {
  rig = await createRig({ rateLimitFactor: 0 });
  await rig.server.context.credentials.setPassword('ada@acme', 'correct horse');
  ({ secret } = await rig.server.context.credentials.setOtp('ada@acme'));
  chain = new Chain({ machine: await newMachine(), callers: ['ann@acme', 'ada@acme'] });
  address = chain.deploy(NOTES);
  rig.state.rows.set(stateKey(CONTRACT.deployed, deployedKey.contract(address)), encodeJson({ address, owner: 'acme', state: 'active' }));
  const { signFor } = rig.node;
  rig.node.signFor = (account, calls, gasLimit) => {
    limits.push(gasLimit);
    signed = calls;
    return signFor(account, calls, gasLimit);
  };
  rig.node.judge = async (sender, calls, gasLimit) => {
    const transactionId = new Uint8Array(32);
    const context = {
      transactionId,
      index: 0,
      sender,
      keyId: 'k1',
      keyKind: 'own',
      calls,
      gasLimit: Math.min(gasLimit, TRIAL_GAS_MAX),
    } as const;
    const { code, detail, gasUsed } = executeTransaction(context, block, chain.view, chain.deps);
    tried.push(gasUsed);
    return code === 'GAS_EXHAUSTED' && gasLimit > TRIAL_GAS_MAX ? undefined : { code, detail, gasUsed, height: 7 };
  };
});
after(() => rig.close());

async function send(url: string, body: object): Promise<number> {
  rig.world.advance(60_000); // a one-time code counts once
  const answer = await rig.server.app.inject({
    method: 'POST',
    url: `/api/v1/${url}`,
    headers: { authorization: `Bearer ${rig.token('ada@acme')}`, otp: currentOtp(secret, rig.world.clock.now()) },
    payload: body,
  });
  assert.equal(answer.statusCode, 200, answer.body);
  return limits.at(-1)!;
}

test('a call without a gas limit is signed with one near its use, which holds though others changed the state before its block', async () => {
  const limit = await send(`contracts/${address}/call`, { method: 'note', args: ['one'] });
  assert.equal(limit, TRIAL_GAS_FACTOR * tried.at(-1)! + TRIAL_GAS_SPARE);
  assert.ok(limit < transactionGasMax / 50, `${limit}`);
  const mine = signed;
  for (let i = 0; i < 200; i++) chain.execute([call(address, 'note', `note ${i} of somebody else`)]);
  const done = chain.execute(mine, { gasLimit: limit });
  assert.equal(done.code, 'OK');
  assert.ok(done.gasUsed > tried.at(-1)! * 1.2, 'the state made it dearer');
});

test('a gas limit that the caller names is the one signed', async () => {
  const named = 77_000_000;
  assert.equal(await send(`contracts/${address}/call`, { method: 'note', args: ['two'], gasLimit: named }), named);
});

test('what no trial ends, or nobody waits for, is signed with the largest limit', async () => {
  assert.equal(await send(`contracts/${address}/call`, { method: 'spin', args: [10_000_000] }), transactionGasMax);
  const trials = tried.length;
  assert.equal(await send(`contracts/${address}/call?wait=async`, { method: 'note', args: ['three'] }), transactionGasMax);
  assert.equal(tried.length, trials);
});

test('a deployment, a registry entry and a proposal are signed with a limit near their use as well', async () => {
  const { judge } = rig.node;
  rig.node.judge = async () => ({ code: 'OK', detail: new Uint8Array(0), gasUsed: 1_000, height: 7 });
  const near = TRIAL_GAS_FACTOR * 1_000 + TRIAL_GAS_SPARE;
  assert.equal(await send('contracts', { name: 'notes', code: NOTES }), near);
  assert.equal(await send('registry/device', { id: 'press-9', data: {} }), near);
  assert.equal(await send('governance/proposals', { kind: 'suspendNode', id: 'n-bolt' }), near);
  rig.node.judge = judge;
});

test('the limit of a vote pays for what it decides, where validators are as many as can be', async () => {
  const { judge } = rig.node;
  rig.node.judge = async () => undefined;
  assert.equal(await send('governance/proposals/00000001/votes', { vote: 'yes' }), VOTE_GAS);
  rig.node.judge = judge;
  const council = new Chain({ machine: await newMachine(), builtins: [...createBuiltins({ acceptKey }).values()] });
  for (const [row, value] of genesisWrites(crowdedGenesis())) council.state.set(row, value!);
  const run = (organisation: string, method: string, args: Json) => {
    const calls = [{ contract: CONTRACT.governance, method, args: encodeJson(args) }];
    const done = council.execute(calls, { sender: `admin@${organisation}` });
    assert.equal(done.code, 'OK', fromUtf8(done.detail));
    return { state: (json(done.results[0]!) as { readonly state: string }).state, gasUsed: done.gasUsed };
  };
  run('acme', 'propose', { kind: 'suspendOrganisation', id: 'many' });
  const votes = ['acme', 'bolt', 'cast', 'dent'].map((organisation) => run(organisation, 'vote', { id: '00000001', approve: true }));
  const last = votes.at(-1)!;
  assert.equal(last.state, 'passed');
  assert.ok(last.gasUsed > TRIAL_GAS_FACTOR * votes[0]!.gasUsed + TRIAL_GAS_SPARE, 'a trial says nothing of the last vote');
  assert.ok(2 * last.gasUsed < VOTE_GAS, `${last.gasUsed}`);
  assert.ok(VOTE_GAS < (SENDER_GAS_PER_SECOND * SENDER_GAS_SAVED_MS) / 1_000, 'what an idle sender has of his own');
});

/** A fifth organisation has all validators that there may be beside those of the four. */
function crowdedGenesis(): Genesis {
  const genesis = testGenesis();
  const hexKey = (number: number) => number.toString(16).padStart(64, '0');
  const nodes = Array.from({ length: VALIDATORS_MAX - genesis.nodes.length }, (_, i) => ({
    ...{ id: `n-many-${i}`, organisation: 'many', ...nodeData(0) },
    ...{ transportKey: hexKey(4 * i), validatorKey: hexKey(4 * i + 1), tokenKey: hexKey(4 * i + 2), custodialKey: hexKey(4 * i + 3) },
  }));
  return { ...genesis, organisations: [...genesis.organisations, { id: 'many', name: 'many' }], nodes: [...genesis.nodes, ...nodes] };
}
