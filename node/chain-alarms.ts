/** What the chain of a node says of others and of itself, as alarms that an operator sees. */
import { type ChainEvents, CONSENSUS_FAULT, CONSENSUS_FAULT_OVER, type Emitter } from './chain/index.ts';
import type { AlarmRaiser } from './feeds/index.ts';
import { toHex } from './format/index.ts';
import type { AppendLog, Log } from './world.ts';

export interface ChainAlarmsDependencies {
  readonly chain: Pick<Emitter<ChainEvents>, 'on'>;
  readonly log: Log;
  readonly raise: AlarmRaiser['raise'];
  readonly resolveAll: AlarmRaiser['resolveAll'];
}

/** From now on. */
export function raiseChainAlarms({ chain, log, raise, resolveAll }: ChainAlarmsDependencies): void {
  // A fault stops the voting, and is over by itself when its cause is.
  chain.on('note', ({ event, fields }) => {
    log.debug({ ...fields }, event);
    if (event === CONSENSUS_FAULT) raise(String(fields.fault), 'critical', { ...fields });
    if (event === CONSENSUS_FAULT_OVER) resolveAll(String(fields.fault), () => true, { by: 'another try' });
  });
  chain.on('evidence', ({ code, node, first, second }) => {
    raise('EQUIVOCATION', 'critical', { code, node, first: toHex(first), second: toHex(second) });
  });
  chain.on('stale', ({ height, hash, proposer }) => {
    log.warn({ height, hash: toHex(hash), proposer }, 'proposal too old to vote for');
    raise('CLOCK_DRIFT', 'warning', { proposer });
  });
  chain.on('refused', ({ height, hash, failed }) => {
    log.error({ height, hash: toHex(hash), failed }, 'proposal refused');
    raise('BLOCK_CHECK_FAILED', 'critical', { height, hash: toHex(hash), failed: failed.map((entry) => ({ ...entry })) });
  });
}

/** @param lost why votes that this node gave may be unknown to it */
export function raiseVoteLogLost(lost: AppendLog['lost'], raise: AlarmRaiser['raise']): void {
  if (lost) raise('VOTE_LOG_LOST', 'critical', { cause: lost.cause, setAside: lost.setAside ?? null, offset: lost.offset ?? null });
}
