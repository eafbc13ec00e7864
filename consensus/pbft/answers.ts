/**
 * The two queries of exceptional cases, `fetch` for a body and `recoveryQuery` after a lost vote log, and their answers. An answer is
 * accepted only from a node that was asked, since a body costs a hash of all of it; one that nobody asked for counts against its sender.
 * One node is answered at a bounded rate, since an answer costs its size and a signature.
 */
import { drop, type Replica } from './replica.ts';

/** Answers accepted for each query: a frame may arrive twice, and so may its answer. A late answer uses up one of them too. */
export const ANSWERS_PER_QUESTION = 4;
/** Most answers that one validator may owe: one that is silent while it is asked again and again may not send them all later. */
export const ANSWERS_DUE_MAX = 64;

const ANSWER_OF = { fetch: 'body', recoveryQuery: 'recoveryReply' } as const;
type Question = keyof typeof ANSWER_OF;
type Answer = (typeof ANSWER_OF)[Question];
const UNASKED = { body: 'PBFT_BODY_UNASKED', recoveryReply: 'PBFT_HELD_UNASKED' } as const satisfies Record<Answer, string>;

/** Notes that `node` was asked. */
export function noteAsked(replica: Replica, question: Question, node: string): void {
  const key = `${ANSWER_OF[question]} ${node}`;
  replica.answersDue.set(key, Math.min(ANSWERS_DUE_MAX, (replica.answersDue.get(key) ?? 0) + ANSWERS_PER_QUESTION));
}

/** Uses up one answer that `node` owes us. False, and the answer counts against `node`, when it owes none. */
export function takeAnswer(replica: Replica, answer: Answer, node: string): boolean {
  const key = `${answer} ${node}`;
  const due = replica.answersDue.get(key) ?? 0;
  if (due === 0) {
    drop(replica, UNASKED[answer], node, 'reject');
    return false;
  }
  replica.answersDue.set(key, due - 1);
  return true;
}

/** False when `node` was answered less than `intervalMs` ago: it asks again. */
export function mayAnswer(replica: Replica, question: Question, node: string, intervalMs: number): boolean {
  const key = `${question} ${node}`;
  const lastMs = replica.answeredAt.get(key);
  if (lastMs !== undefined && replica.nowMs - lastMs < intervalMs) return false;
  replica.answeredAt.set(key, replica.nowMs);
  return true;
}

/** Those who are validators no longer neither owe nor get answers. */
export function forgetAnswers(replica: Replica): void {
  for (const rows of [replica.answersDue, replica.answeredAt])
    for (const key of rows.keys()) if (!replica.byNode.has(key.slice(key.indexOf(' ') + 1))) rows.delete(key);
}
