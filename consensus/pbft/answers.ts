/**
 * The two questions of exceptional cases, `fetch` for a body and `ask` for words held, and their answers. Who was asked may answer; who answers
 * unasked pays for it, since a body costs a hash of all of it. One asker is answered in measure, since an answer costs its size and a signature.
 */
import { drop, type Replica } from './replica.ts';

/** Answers let in for each question: a frame may come twice, and so may its answer. What comes late still counts against the question. */
export const ANSWERS_PER_QUESTION = 4;
/** Answers that one validator owes at most: who is silent while it is asked again and again may not send them all later. */
export const ANSWERS_DUE_MAX = 64;

const ANSWER_OF = { fetch: 'body', ask: 'held' } as const;
type Question = keyof typeof ANSWER_OF;
type Answer = (typeof ANSWER_OF)[Question];
const UNASKED = { body: 'PBFT_BODY_UNASKED', held: 'PBFT_HELD_UNASKED' } as const satisfies Record<Answer, string>;

/** Notes that `node` was asked. */
export function noteAsked(replica: Replica, question: Question, node: string): void {
  const key = `${ANSWER_OF[question]} ${node}`;
  replica.answersDue.set(key, Math.min(ANSWERS_DUE_MAX, (replica.answersDue.get(key) ?? 0) + ANSWERS_PER_QUESTION));
}

/** False, and said against `node`, when it owes us no such answer. */
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
  for (const said of [replica.answersDue, replica.answeredAt])
    for (const key of said.keys()) if (!replica.byNode.has(key.slice(key.indexOf(' ') + 1))) said.delete(key);
}
