/**
 * Sending what changes the chain: a key that makes a repeated send harmless, the wish to wait or not, and the second factor when the node asks
 * for it (from --otp, a devnet's profile, or the person).
 */
import { randomUUID } from 'node:crypto';
import { ApiError } from '../client/answer.ts';
import type { PostOptions } from '../client/index.ts';
import type { Cli, Connection } from './cli.ts';
import { totpLeftMs } from './one-time-code.ts';

export interface WaitOptions {
  readonly async?: boolean;
}

const OTP_MARGIN_MS = 100; // past the end of a code, so that both clocks show the next one

/** @param send posts once with the options given; called again with a one-time code when the node asks for one. */
export async function submit<T>(
  cli: Cli,
  connection: Connection,
  wait: WaitOptions,
  send: (options: PostOptions) => Promise<T>,
): Promise<T> {
  const options: PostOptions = { idempotencyKey: randomUUID(), ...(wait.async ? { query: { wait: 'async' } } : {}) };
  const given = cli.options.otp;
  try {
    return await send(given === undefined ? options : { ...options, otp: given });
  } catch (error) {
    if (!(error instanceof ApiError) || given !== undefined || error.code !== 'STEP_UP_REQUIRED') throw error;
    const otp = (await connection.otp()) ?? (await cli.terminal.askSecret('One-time code: '));
    if (otp === undefined) throw error;
    try {
      return await send({ ...options, otp });
    } catch (second) {
      // a code counts once; on a devnet the next one is half a minute away at most
      if (!(second instanceof ApiError) || !second.code.includes('OTP') || (await connection.otp()) === undefined) throw second;
      cli.note('the current one-time code was used already; waiting for the next');
      await cli.terminal.sleep(totpLeftMs(cli.terminal.now()) + OTP_MARGIN_MS);
      return await send({ ...options, otp: (await connection.otp())! });
    }
  }
}
