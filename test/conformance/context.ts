/** What a probe is given: a live devnet, calls over HTTPS with its authority, the command line, random values. */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOTP } from 'otpauth';
import type { Genesis } from '../../contracts/index.ts';
import { openBlock } from './blocks.ts';
import { ROOT } from '../tools/source.ts';

/** What devnet/index.ts starts. */
export interface Net {
  readonly nodes: readonly NetNode[];
  /** PEM, or the path of a file of it. */
  readonly ca: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly genesisText: string;
  stop(): Promise<void>;
}

export interface NetNode {
  readonly url: string;
  readonly pid: number | undefined;
  readonly dir: string;
  /** SIGKILL. */
  kill(): unknown;
  restart(): Promise<unknown>;
}

export interface Envelope {
  readonly code: string;
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: probes look into answers of every route and assert what they find
  readonly data: any;
  readonly details: readonly { readonly code: string; readonly message: string; readonly [name: string]: unknown }[];
  readonly requestId: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. @throws when it is none */
  readonly json: Envelope;
}

export interface CallOptions {
  /** Default: the context's operator; null sends none. */
  readonly token?: string | null;
  readonly body?: string | Uint8Array;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Ends the reading of an answer that would go on for ever. */
  readonly enough?: (text: string) => boolean;
  /** Instead of a node of the devnet. */
  readonly at?: { readonly url: string; readonly ca: string };
}

export interface Actor {
  readonly account: string;
  readonly organisation: string;
  readonly token: string;
  /** Index of the node that signs for it. */
  readonly node: number;
  /** A factory of its organisation and a device in it. */
  readonly factory: string;
  readonly device: string;
}

/** What a wait is given that ends by what it waits for, in ms: far above what a busy machine takes, so that it ends nothing but what hangs. */
export const PATIENCE_MS = 240_000;
const CALL_TIMEOUT_MS = 65_000; // above the longest sync wait
const WAIT_STEP_MS = 100;
const CLI_TIMEOUT_MS = 120_000;
/** Between questions whether there is a new code, which comes every 30 s; in ms: as often as the route allows. */
const CODE_STEP_MS = 2_000;
/** How long a token that came for a code is used again, in ms; a node takes it without a further code for five minutes. */
const STEPPED_UP_KEPT_MS = 120_000;

export class ProbeContext {
  readonly net: Net;
  readonly genesis: Genesis;
  /** The devnet's directory, with its profile. */
  readonly dir: string;
  readonly actor: Actor;
  readonly #ca: string;
  readonly #localAddress: string | undefined;
  readonly #scratch: string;
  readonly #steppedUp = new Map<string, { readonly token: string; readonly untilMs: number }>();

  /** @param localAddress the address calls come from; the system's choice when it is not given. */
  constructor(net: Net, dir: string, localAddress?: string) {
    this.#localAddress = localAddress;
    this.net = net;
    this.dir = dir;
    this.genesis = JSON.parse(net.genesisText) as Genesis;
    this.#ca = net.ca.startsWith('-----BEGIN') ? net.ca : readFileSync(net.ca, 'utf8');
    this.#scratch = mkdtempSync(join(tmpdir(), 'tracemill-conform-'));
    this.actor = this.actorWith('operator');
  }

  close(): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** An account with the role whose organisation has a factory and a device, and for which there is a token. */
  actorWith(role: string, otherThan?: string): Actor {
    for (const account of this.genesis.accounts) {
      const token = this.net.tokens[account.id];
      const node = this.nodeOf(account.id);
      const device = this.genesis.devices.find((candidate) => candidate.organisation === account.organisation);
      if (!account.roles.includes(role) || token === undefined || node < 0 || !device || account.organisation === otherThan) continue;
      return { account: account.id, organisation: account.organisation, token, node, factory: device.factory, device: device.id };
    }
    throw new Error(`The devnet has no ${role} with a token, a custodial key and a device`);
  }

  /** Calls `path`, below /api/v1/ unless it starts with `/`, on node number `node`. */
  call(node: number, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const url = new URL(path.startsWith('/') ? path : `/api/v1/${path}`, options.at?.url ?? this.net.nodes[node]!.url);
    for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, String(value));
    const token = options.token === undefined ? this.actor.token : options.token;
    const body = options.body === undefined ? undefined : Buffer.from(options.body);
    const headers: Record<string, string> = {
      accept: options.accept ?? 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': options.type ?? 'application/json', 'content-length': String(body.length) }),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const from = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress };
      const outgoing = request(url, { method, headers, ca: options.at?.ca ?? this.#ca, timeout: CALL_TIMEOUT_MS, ...from }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on('data', (part: Buffer) => {
          parts.push(part);
          if (!options.enough?.(Buffer.concat(parts).toString('utf8'))) return;
          answered();
          outgoing.destroy();
        });
        incoming.on('error', reject);
        incoming.on('end', answered);
        function answered(): void {
          const bytes = Buffer.concat(parts);
          const text = bytes.toString('utf8');
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            bytes,
            text,
            get json() {
              return JSON.parse(text) as Envelope;
            },
          });
        }
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url.pathname} had no answer within ${CALL_TIMEOUT_MS} ms`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** GET that must answer OK; its `data`. */
  async get(node: number, path: string, query: CallOptions['query'] = {}): Promise<Envelope['data']> {
    const answer = await this.call(node, 'GET', path, { query });
    if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${answer.text.slice(0, 400)}`);
    return answer.json.data;
  }

  /** POST of a JSON value, as whoever; the answer as it is. */
  post(node: number, path: string, value: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call(node, 'POST', path, { body: JSON.stringify(value), ...options });
  }

  /** Asks until `ask` gives something; throws with `what` when `timeoutMs` has passed. */
  async until<T>(what: string, timeoutMs: number, ask: () => Promise<T | undefined | false>): Promise<T> {
    const endMs = Date.now() + timeoutMs;
    let last = '';
    while (Date.now() < endMs) {
      try {
        const found = await ask();
        if (found !== undefined && found !== false) return found;
      } catch (error) {
        last = `; last: ${String(error)}`;
      }
      await sleep(WAIT_STEP_MS);
    }
    throw new Error(`Not within ${timeoutMs} ms: ${what}${last}`);
  }

  async height(node: number): Promise<number> {
    const answer = await this.call(node, 'GET', 'blocks/latest', { query: { form: 'raw' }, accept: 'application/octet-stream' });
    if (answer.status !== 200) throw new Error(`node ${node} answered ${answer.status}: ${answer.text.slice(0, 200)}`);
    return openBlock(answer.bytes).header.height;
  }

  /** Waits until every node named has a final block of `height`. */
  async allAt(height: number, nodes: readonly number[] = this.net.nodes.map((_, i) => i)): Promise<void> {
    for (const node of nodes)
      await this.until(`node ${node} at height ${height}`, PATIENCE_MS, async () => (await this.height(node)) >= height);
  }

  /** Runs `tracemill` against node number `node`; standard output as JSON. */
  cli(
    node: number,
    args: readonly string[],
    token = this.actor.token,
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    const authority = this.file('ca.pem', this.#ca);
    const program = join(ROOT, 'dist/api/cli/main.js');
    const flags = ['--json', '--url', this.net.nodes[node]!.url, '--ca', authority, '--token', token, '--dir', this.dir];
    return new Promise((resolve) => {
      execFile(process.execPath, [program, ...flags, ...args], { timeout: CLI_TIMEOUT_MS, cwd: this.#scratch }, (error, stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr });
      });
    });
  }

  /** Writes a file of this run and gives its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.#scratch, name);
    writeFileSync(path, content);
    return path;
  }

  scratch(name: string): string {
    return join(this.#scratch, name);
  }

  /** Current one-time code of an account, from the profile that a devnet keeps. */
  otp(account: string): string {
    const profile = JSON.parse(readFileSync(join(this.dir, 'profile.json'), 'utf8')) as {
      accounts: { account: string; totpSecret: string }[];
    };
    const found = profile.accounts.find((candidate) => candidate.account === account);
    if (!found) throw new Error(`The profile of the devnet has no account ${account}`);
    return new TOTP({ secret: found.totpSecret }).generate();
  }

  /** Index of the node that signs for the account. */
  nodeOf(account: string): number {
    const key = this.genesis.accounts.find((candidate) => candidate.id === account)?.keys.find((held) => held.kind === 'custodial');
    return this.genesis.nodes.findIndex((node) => node.id === key?.node);
  }

  /** A token of the account for which a one-time code was given a short while ago, so that routes with a second factor ask for no further one. */
  async steppedUp(account: string): Promise<string> {
    const kept = this.#steppedUp.get(account);
    if (kept !== undefined && Date.now() < kept.untilMs) return kept.token;
    const askedMs = Date.now();
    const answer = await this.until(`a one-time code of ${account} that was not used yet`, PATIENCE_MS, async () => {
      const headers = { otp: this.otp(account) };
      const given = await this.post(this.nodeOf(account), 'auth/step-up', {}, { token: this.net.tokens[account]!, headers });
      if (given.json.code !== 'OTP_REUSED') return given;
      await sleep(CODE_STEP_MS);
      return undefined;
    });
    if (answer.status !== 200) throw new Error(`${account} did not get a stepped-up token: ${answer.text.slice(0, 400)}`);
    const token = answer.json.data.token as string;
    this.#steppedUp.set(account, { token, untilMs: askedMs + STEPPED_UP_KEPT_MS });
    return token;
  }

  /** A text nobody used before. */
  random(prefix: string): string {
    return `${prefix}-${randomBytes(6).toString('hex')}`;
  }

  integer(min: number, max: number): number {
    return randomInt(min, max + 1);
  }
}
