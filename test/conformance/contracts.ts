/** The contract that the probes of clauses 5.1.2.b and 6.2.2.b deploy. */
import assert from 'node:assert/strict';
import type { Answer, ProbeContext } from './context.ts';

/** Its answers depend on a number that differs in every run, so that no answer can have been prepared. */
export function codeWith(secret: number): string {
  return `contract({
  events: { Weighed: 'kilograms of a lot' },
  methods: {
    weigh(ctx, lot, kilograms) {
      const sum = (ctx.get(lot) ?? 0) + kilograms;
      ctx.put(lot, sum);
      ctx.emit('Weighed', { lot, kilograms });
      return { sum, check: sum * ${secret} };
    },
    forget(ctx, lot) { ctx.delete(lot); return lot + ' forgotten'; },
  },
  queries: {
    total(ctx, lot) { return ctx.get(lot) ?? 0; },
  },
});`;
}

export async function deploy(context: ProbeContext, code: string): Promise<string> {
  const body = { language: 'javascript', name: context.random('weights'), code };
  const answer = await withOtp(context, (headers) => context.post(context.actor.node, 'contracts', body, { headers }));
  assert.equal(answer.status, 200, answer.text.slice(0, 600));
  const { address, result } = answer.json.data;
  const found = address ?? result?.address;
  assert.match(String(found), /^0x[0-9a-f]{40}$/);
  return found;
}

export function callMethod(context: ProbeContext, address: string, method: string, args: readonly unknown[]): Promise<Answer> {
  return context.post(context.actor.node, `contracts/${address}/call`, { method, args });
}

export async function query(context: ProbeContext, address: string, method: string, args: readonly unknown[]): Promise<Answer> {
  return context.call(context.actor.node, 'GET', `contracts/${address}/query`, { query: { method, args: JSON.stringify(args) } });
}

/** Sends the current one-time code where the route asks for a second factor. */
async function withOtp(
  context: ProbeContext,
  send: (headers: Readonly<Record<string, string>>) => Promise<Answer>,
  account = context.actor.account,
): Promise<Answer> {
  const answer = await send({});
  return answer.status === 401 || answer.status === 403 ? send({ otp: context.otp(account) }) : answer;
}
