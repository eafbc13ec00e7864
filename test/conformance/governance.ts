/** Proposals put and voted for by administrators of the organisations, with a second factor, over HTTPS. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeContext } from './context.ts';
import { withOtp } from './contracts.ts';

const CODE_TIMEOUT_MS = 40_000; // a code is good for 30 s and for one use
const ASK_AGAIN_MS = 1_000;
const REACH_TIMEOUT_MS = 20_000; // for a final block to reach every node

/** An administrator of each organisation. */
function speakersOf(context: ProbeContext): readonly string[] {
  const admins = context.genesis.accounts.filter(
    (account) => account.roles.includes('admin') && context.net.tokens[account.id] !== undefined,
  );
  const organisations = [...new Set(admins.map((admin) => admin.organisation))];
  return organisations.map((organisation) => admins.find((admin) => admin.organisation === organisation)!.id);
}

/** Index of the node that signs for the account. */
function nodeOf(context: ProbeContext, account: string): number {
  const key = context.genesis.accounts.find((candidate) => candidate.id === account)!.keys.find((held) => held.kind === 'custodial');
  return context.genesis.nodes.findIndex((node) => node.id === key?.node);
}

/** Proposes, and votes yes organisation by organisation until it has passed. */
export async function passProposal(context: ProbeContext, proposal: Readonly<Record<string, unknown>>): Promise<void> {
  const [proposer, ...others] = speakersOf(context);
  const as = async (account: string, path: string, body: unknown) => {
    const answer = await context.until('a one-time code that was not used yet', CODE_TIMEOUT_MS, async () => {
      const given = await withOtp(
        context,
        (headers) => context.post(nodeOf(context, account), path, body, { token: context.net.tokens[account]!, headers }),
        account,
      );
      if (given.json.code !== 'OTP_REUSED') return given;
      await sleep(ASK_AGAIN_MS); // far below the rate the route allows
      return undefined;
    });
    assert.equal(answer.status, 200, answer.text.slice(0, 600));
    return answer.json.data.result;
  };
  const { id, state: first } = await as(proposer!, 'governance/proposals', proposal);
  let state = first;
  for (const voter of others) {
    if (state !== 'open') break;
    await context.until('the proposal at the node of the voter', REACH_TIMEOUT_MS, async () => {
      const { items } = (await context.get(nodeOf(context, voter), 'governance/proposals')) as { items: readonly { id: string }[] };
      return items.some((item) => item.id === id) || undefined;
    });
    ({ state } = await as(voter, `governance/proposals/${id}/votes`, { vote: 'yes' }));
  }
  assert.equal(state, 'passed', 'two thirds of the organisations voted for it');
}
