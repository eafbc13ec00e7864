/**
 * Passwords (Argon2id) and one-time-password secrets (TOTP, RFC 6238), local to the node and never on chain. One record an account; everything
 * about one account happens one after the other, so that two logins at once can neither use one code twice nor dodge the failure count. A code's
 * step is on disk before anyone learns that it was right. An adapter file: it uses node:crypto and the Argon2 threads itself.
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { Secret, TOTP } from 'otpauth';
import { ChainError } from '../../node/errors/index.ts';
import { decodeJson, encodeJson, utf8 } from '../../node/format/index.ts';
import type { Store, World } from '../../node/world.ts';
import { utf8Text } from '../../contracts/index.ts';
import { apiPrefixes } from '../rest/index.ts';
import { createThrottle, lockMs } from './throttle.ts';

export const PASSWORD_CHARACTERS_MIN = 12;
export const PASSWORD_CHARACTERS_MAX = 256;
export const OTP_PERIOD_S = 30;
const OTP_DIGITS = 6;
const OTP_SECRET_BYTES = 20; // RFC 4226 §4 R6 recommends 160 bits
/** Steps before and after the current one that are taken: clocks of phones are off by seconds. */
const OTP_WINDOW_STEPS = 1;
/** OWASP's figures for Argon2id; about 11 ms here. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Argon2 runs at once; each holds 19 MiB. */
const HASHING_MAX = 2;
const HASHING_WAITING_MAX = 32;
/** Wrong passwords from all addresses together before addresses that the account does not know must wait, and the longest such wait. */
const FAILURES_FREE_ALL = 50;
const LOCK_ALL_MS_MAX = 30_000;

/**
 * Three counts, because three kinds of people fail: anybody gives wrong passwords, who knows the password gives wrong codes, and the holder of a
 * session gives wrong codes for a step-up. None of them locks what the next one does.
 */
const NO_FAILURES = {
  failures: 0,
  lockedUntilMs: 0,
  otpFailures: 0,
  otpLockedUntilMs: 0,
  stepUpFailures: 0,
  stepUpLockedUntilMs: 0,
} as const;
type Failures = { readonly [name in keyof typeof NO_FAILURES]: number };

interface Credential extends Failures {
  readonly passwordHash: string;
  /** Encrypted, base64; empty when the account has no second factor. */
  readonly otpSecret: string;
  /** Last step used; a code of this step or before is spent. */
  readonly otpStep: number;
}

export interface Credentials {
  /** Sets or replaces a password. @throws ChainError REQUEST_INVALID when it is shorter or longer than allowed. */
  setPassword(account: string, password: string): Promise<void>;
  /** Gives the account a new secret and returns it once, with the otpauth URI for an authenticator app. */
  setOtp(account: string): Promise<{ readonly secret: string; readonly uri: string }>;
  hasOtp(account: string): boolean;
  /** Takes over a hash and a base32 secret made elsewhere, unless the account has a credential here already. */
  adopt(account: string, passwordHash: string, otpSecret: string): Promise<void>;
  /** @returns whether a one-time password stood behind the login. @throws ChainError LOGIN_REFUSED, LOGIN_LOCKED, OTP_REQUIRED, OTP_INVALID, OTP_REUSED, SERVER_BUSY */
  login(account: string, password: string, otp: string | undefined, address: string): Promise<{ readonly steppedUp: boolean }>;
  /** Spends a code, for the holder of a session: no login that failed stands in the way. @throws ChainError OTP_NOT_SET, OTP_INVALID, OTP_REUSED, LOGIN_LOCKED */
  useOtp(account: string, otp: string): Promise<void>;
}

export interface CredentialsOptions {
  readonly store: Store;
  readonly world: Pick<World, 'clock' | 'random'>;
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly issuer: string;
}

export function createCredentials({ store, world, key, issuer }: CredentialsOptions): Credentials {
  if (key.length !== 32) throw new RangeError(`Cannot use a credentials key of ${key.length} bytes: 32 are needed`);
  const turns = new Map<string, Promise<unknown>>();
  const throttle = createThrottle(world.clock);
  const hashing = createGate(HASHING_MAX, HASHING_WAITING_MAX);
  let decoy: Promise<string> | undefined;

  const storeKey = (account: string): string => apiPrefixes.credential + utf8Text(account);
  const load = (account: string): Credential | undefined => {
    const bytes = store.get(storeKey(account));
    return bytes === undefined ? undefined : { ...NO_FAILURES, ...(decodeJson(bytes) as unknown as Credential) };
  };
  const save = (account: string, credential: Credential): Promise<void> =>
    store.batch([{ key: storeKey(account), value: encodeJson({ ...credential }) }], { sync: true });

  /** One thing at a time for one key: an account, or an account and an address. */
  function inTurn<T>(account: string, run: () => Promise<T>): Promise<T> {
    const before = turns.get(account) ?? Promise.resolve();
    const mine = before.then(run, run);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    turns.set(account, settled);
    void settled.then(() => {
      if (turns.get(account) === settled) turns.delete(account);
    });
    return mine;
  }

  function checkLock(lockedUntilMs: number): void {
    const retryAfterMs = lockedUntilMs - world.clock.now();
    if (retryAfterMs > 0) throw new ChainError('LOGIN_LOCKED', { retryAfterMs });
  }

  /** Judges a code in the turn of the account and spends it; a wrong one is counted under `count`. */
  async function spendOtp(account: string, credential: Credential, otp: string, count: 'otp' | 'stepUp'): Promise<void> {
    checkLock(credential[`${count}LockedUntilMs`]);
    const step = stepOf(account, credential, otp);
    if (step === undefined) {
      const failures = credential[`${count}Failures`] + 1;
      const lockedUntilMs = world.clock.now() + lockMs(failures);
      await save(account, { ...credential, [`${count}Failures`]: failures, [`${count}LockedUntilMs`]: lockedUntilMs });
      throw new ChainError('OTP_INVALID');
    }
    if (step <= credential.otpStep) throw new ChainError('OTP_REUSED');
    const cleared = count === 'otp' ? { failures: 0, lockedUntilMs: 0 } : {};
    await save(account, { ...credential, ...cleared, otpStep: step, [`${count}Failures`]: 0, [`${count}LockedUntilMs`]: 0 });
  }

  async function countWrongPassword(account: string): Promise<void> {
    const credential = load(account);
    if (credential === undefined) return;
    const failures = credential.failures + 1;
    const lockedUntilMs = world.clock.now() + lockMs(failures, FAILURES_FREE_ALL, LOCK_ALL_MS_MAX);
    await save(account, { ...credential, failures, lockedUntilMs });
  }

  async function rightPassword(credential: Credential | undefined, password: string): Promise<boolean> {
    if (credential !== undefined && credential.passwordHash !== '') return await hashing(() => verify(credential.passwordHash, password));
    // The same work as for a known account, so that time does not tell which names exist.
    decoy ??= hash('decoy', { ...ARGON2, salt: world.random.bytes(16) });
    const decoyHash = await decoy;
    await hashing(() => verify(decoyHash, password));
    return false;
  }

  /** The step a code belongs to, or undefined. Every candidate is compared, in constant time. */
  function stepOf(account: string, credential: Credential, otp: string): number | undefined {
    const totp = totpOf(account, decrypt(credential.otpSecret, account));
    const current = Math.floor(world.clock.now() / 1_000 / OTP_PERIOD_S);
    let found: number | undefined;
    for (let step = current - OTP_WINDOW_STEPS; step <= current + OTP_WINDOW_STEPS; step++) {
      const expected = utf8(totp.generate({ timestamp: step * OTP_PERIOD_S * 1_000 }));
      const given = utf8(otp);
      if (given.length === expected.length && timingSafeEqual(given, expected)) found = step;
    }
    return found;
  }

  function totpOf(account: string, secret: Uint8Array): TOTP {
    const buffer = secret.buffer.slice(secret.byteOffset, secret.byteOffset + secret.byteLength) as ArrayBuffer;
    return new TOTP({
      issuer,
      label: account,
      algorithm: 'SHA1',
      digits: OTP_DIGITS,
      period: OTP_PERIOD_S,
      secret: new Secret({ buffer }),
    });
  }

  function encrypt(secret: Uint8Array, account: string): string {
    const iv = world.random.bytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(utf8(account));
    return Buffer.concat([iv, cipher.update(secret), cipher.final(), cipher.getAuthTag()]).toString('base64');
  }

  function decrypt(text: string, account: string): Uint8Array {
    const bytes = Buffer.from(text, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(utf8(account));
    decipher.setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
  }

  return {
    async setPassword(account, password) {
      if (password.length < PASSWORD_CHARACTERS_MIN || password.length > PASSWORD_CHARACTERS_MAX)
        throw new ChainError('REQUEST_INVALID', { charactersMin: PASSWORD_CHARACTERS_MIN, charactersMax: PASSWORD_CHARACTERS_MAX });
      const passwordHash = await hashing(() => hash(password, { ...ARGON2, salt: world.random.bytes(16) }));
      await inTurn(account, async () => {
        const old = load(account);
        await save(account, { passwordHash, otpSecret: old?.otpSecret ?? '', otpStep: old?.otpStep ?? 0, ...NO_FAILURES });
      });
    },

    setOtp: (account) =>
      inTurn(account, async () => {
        const secret = world.random.bytes(OTP_SECRET_BYTES);
        const old = load(account) ?? { passwordHash: '', otpSecret: '', otpStep: 0, ...NO_FAILURES };
        await save(account, { ...old, otpSecret: encrypt(secret, account), otpStep: 0 });
        const totp = totpOf(account, secret);
        return { secret: totp.secret.base32, uri: totp.toString() };
      }),

    adopt: (account, passwordHash, otpSecret) =>
      inTurn(account, async () => {
        if (load(account) !== undefined) return; // a restart must not undo a changed password or a spent code
        const secret = otpSecret === '' ? '' : encrypt(Secret.fromBase32(otpSecret).bytes, account);
        await save(account, { passwordHash, otpSecret: secret, otpStep: 0, ...NO_FAILURES });
      }),

    hasOtp: (account) => (load(account)?.otpSecret ?? '') !== '',

    login: (account, password, otp, address) =>
      inTurn(`${account}\0${address}`, async () => {
        const retryAfterMs = throttle.waitMs(account, address);
        if (retryAfterMs > 0) throw new ChainError('LOGIN_LOCKED', { retryAfterMs });
        const found = load(account);
        if (found !== undefined && !throttle.knows(account, address)) checkLock(found.lockedUntilMs);
        if (!(await rightPassword(found, password))) {
          throttle.fail(account, address);
          await inTurn(account, () => countWrongPassword(account));
          throw new ChainError('LOGIN_REFUSED');
        }
        // Only now in the turn of the account: guesses of others must not keep its holder waiting.
        return await inTurn(account, async () => {
          const credential = load(account);
          if (credential === undefined || credential.passwordHash !== found?.passwordHash) throw new ChainError('LOGIN_REFUSED');
          const steppedUp = credential.otpSecret !== '';
          if (steppedUp) {
            if (otp === undefined) throw new ChainError('OTP_REQUIRED');
            await spendOtp(account, credential, otp, 'otp').catch((error: unknown) => {
              if (error instanceof ChainError && error.code === 'OTP_INVALID') throttle.fail(account, address);
              throw error;
            });
          } else if (credential.failures > 0) await save(account, { ...credential, failures: 0, lockedUntilMs: 0 });
          throttle.succeed(account, address);
          return { steppedUp };
        });
      }),

    useOtp: (account, otp) =>
      inTurn(account, async () => {
        const credential = load(account);
        if (credential === undefined || credential.otpSecret === '') throw new ChainError('OTP_NOT_SET');
        await spendOtp(account, credential, otp, 'stepUp');
      }),
  };
}

/** Lets `countMax` run at once and `waitingMax` wait. @throws ChainError SERVER_BUSY beyond. */
function createGate(countMax: number, waitingMax: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (running >= countMax) {
      if (waiting.length >= waitingMax) throw new ChainError('SERVER_BUSY', { retryAfterMs: 2_000 });
      await new Promise<void>((resolve) => waiting.push(resolve)); // woken with the slot already ours
    } else running++;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
