/** Proposals put and voted for by administrators of the organisations, with a second factor, over HTTPS. */
import assert from 'node:assert/strict';
import type { ProbeContext } from './context.ts';

/** An administrator of each organisation. */
function speakersOf(context: ProbeContext): readonly string[] {
  const admins = context.genesis.accounts.filter(
    (account) => account.roles.includes('admin') && context.net.tokens[account.id] !== undefined,
  );
  const organisations = [...new Set(admins.map((admin) => admin.organisation))];
  return organisations.map((organisation) => admins.find((admin) => admin.organisation === organisation)!.id);
}

/** Proposes, and votes yes organisation by organisation until it has passed; then the node of every voter knows it. */
export async function passProposal(context: ProbeContext, proposal: Readonly<Record<string, unknown>>): Promise<void> {
  const speakers = speakersOf(context);
  const nodes = speakers.map((account) => context.nodeOf(account));
  let last = 0;
  const as = async (account: string, path: string, body: unknown) => {
    const token = await context.steppedUp(account);
    const answer = await context.post(context.nodeOf(account), path, body, { token });
    assert.equal(answer.status, 200, answer.text.slice(0, 600));
    const { height, result } = answer.json.data;
    last = height;
    return result;
  };
  const [proposer, ...others] = speakers;
  const { id, state: first } = await as(proposer!, 'governance/proposals', proposal);
  let state = first;
  for (const voter of others) {
    if (state !== 'open') break;
    await context.allAt(last, [context.nodeOf(voter)]);
    ({ state } = await as(voter, `governance/proposals/${id}/votes`, { vote: 'yes' }));
  }
  assert.equal(state, 'passed', 'two thirds of the organisations voted for it');
  await context.allAt(last, nodes);
}
