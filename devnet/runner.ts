/**
 * The devnet a person runs: starts it, loads the data set, says how to reach it, stays up until a signal; or goes through the scenario and
 * ends.
 */
import { join } from 'node:path';
import { DEVNET_DIRECTORY, type Progress } from '../api/cli/index.ts';
import { tracemillIn } from './command.ts';
import { DATA_SET_PEOPLE, dataSetParts } from './data-set.ts';
import { childEnvironment, type Devnet, startDevnet } from './devnet.ts';
import { loadRows } from './load.ts';
import { onceSteps, peopleOf, storedTextStep } from './once.ts';
import { runSteps } from './steps.ts';
import { DEFAULT_ACCOUNT } from './topology.ts';

export interface RunnerOptions {
  readonly directory: string;
  readonly nodes: number;
  readonly reset: boolean;
  readonly once: boolean;
  /** Rows of the data set to load; 0 loads none. */
  readonly rows: number;
  readonly dataPath: string;
  readonly contractPath: string;
  /** Fresh directory outside `directory` for the scenario's inputs. */
  readonly inputs: string;
  readonly ports: { readonly p2p: number; readonly https: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nodePath: string;
  readonly nowMs: () => number;
  readonly salt: string;
  readonly out: (line: string) => void;
  readonly progress: (title: string, total: number) => Progress;
  /** Resolves with the signal that asks to stop. */
  readonly stopAsked: Promise<string>;
  /** Called before the first process starts, so that the entry file can end them whatever happens. */
  readonly onProcesses: (killNow: () => void) => void;
}

/** Returns the exit code. @throws ChainError DEVNET_START_FAILED */
export async function runDevnet(options: RunnerOptions): Promise<number> {
  const { out } = options;
  const started = options.nowMs();
  out(`starting ${options.nodes} nodes, files in ${options.directory}`);
  const stop = new AbortController();
  void options.stopAsked.then(() => stop.abort());
  const net = await startDevnet({
    dir: options.directory,
    nodes: options.nodes,
    reset: options.reset,
    ports: options.ports,
    env: options.env,
    nodePath: options.nodePath,
    nowMs: options.nowMs,
    say: out,
    settings: { verifyWorkers: 1 }, // all nodes share the cores of one machine
    signal: stop.signal,
    onProcesses: options.onProcesses,
  });
  try {
    out(
      `${net.nodes.length} validators agree, ${net.fresh ? 'first block' : 'chain of an earlier run found'} after ${options.nowMs() - started} ms`,
    );
    return options.once ? await once(net, options) : await stayUp(net, options);
  } finally {
    await net.stop();
  }
}

async function once(net: Devnet, options: RunnerOptions): Promise<number> {
  const { out } = options;
  let progress: Progress | undefined;
  const steps = onceSteps({
    net,
    tracemill: tracemillIn(net.dir, options.nodePath, childEnvironment(options.env)),
    inputs: options.inputs,
    salt: options.salt,
    nowMs: options.nowMs(),
    parts: dataSetParts(net, options.dataPath, options.rows),
    people: DATA_SET_PEOPLE,
    contractPath: options.contractPath,
    onProgress(settled, total) {
      progress ??= options.progress('import', total);
      progress.at(settled);
      if (settled === total) progress.stop();
    },
  });
  const run = runSteps(steps, out);
  const stopped = await Promise.race([run.then(() => undefined), options.stopAsked]);
  if (stopped !== undefined) {
    progress?.stop();
    out(`${stopped}: stopping`);
    return 1;
  }
  const outcomes = [...(await run)];
  await net.stop();
  outcomes.push(...(await runSteps([storedTextStep(net, peopleOf({ salt: options.salt, people: DATA_SET_PEOPLE }))], out)));
  const failed = outcomes.filter((outcome) => !outcome.held).length;
  out(
    failed === 0
      ? `all ${outcomes.length} steps held`
      : `${failed} of ${outcomes.length} steps did not hold; logs: ${join(net.dir, '*', 'node.log')}`,
  );
  return failed === 0 ? 0 : 1;
}

async function stayUp(net: Devnet, options: RunnerOptions): Promise<number> {
  const { out } = options;
  if (options.rows > 0) {
    const stop = new AbortController();
    void options.stopAsked.then(() => stop.abort());
    const parts = dataSetParts(net, options.dataPath, options.rows);
    const total = parts.reduce((sum, part) => sum + part.rows.length, 0);
    const progress = options.progress('AI4I 2020', total);
    try {
      const loading = loadRows(net, parts, { signal: stop.signal, onProgress: (settled) => progress.at(settled) });
      loading.catch(() => undefined); // after a stop nobody waits for it
      const stopped = options.stopAsked.then((signal) => Promise.reject(new Error(signal))); // answers under way are not waited for
      const result = await Promise.race([loading, stopped]);
      progress.stop();
      if (result.skipped === result.rows) out(`${result.rows} records are there from an earlier run`);
      else if (!stop.signal.aborted)
        out(`${result.stored} records stored, ${result.rowsPerSecond} a second, final at height ${result.height}`);
      for (const row of result.refused.slice(0, 5)) out(`refused: row ${row.row} of ${row.account}: ${row.code} ${row.message}`);
    } catch (error) {
      progress.stop();
      if (!stop.signal.aborted) out(`loading stopped: ${(error as Error).message}; the next start goes on with it`);
    }
    if (stop.signal.aborted) {
      out('stopping');
      return 0;
    }
  }
  for (const line of welcome(net)) out(line);
  out(`${await options.stopAsked}: stopping`);
  return 0;
}

/** What a newcomer needs: addresses, logins, tokens, and lines that work when pasted. */
function welcome(net: Devnet): readonly string[] {
  const account = net.accounts.find((candidate) => candidate.account === DEFAULT_ACCOUNT)!;
  const node = net.nodes.find((candidate) => candidate.id === account.node)!;
  const token = net.tokens[account.account]!;
  const curl = `curl --cacert ${net.caPath}`;
  const command = `npm run tracemill --${net.dir.endsWith(`/${DEVNET_DIRECTORY}`) ? '' : ` --dir ${net.dir}`}`;
  const width = Math.max(...net.accounts.map((row) => row.account.length));
  return [
    '',
    'nodes',
    ...net.nodes.map((row) => `  ${row.id.padEnd(14)} ${row.url}/   log ${row.logPath}`),
    '',
    'accounts (password, OTP secret for an authenticator app; every organisation has its own)',
    ...net.accounts.map((row) => `  ${row.account.padEnd(width)}  ${row.roles.join(',').padEnd(8)}  ${row.password}  ${row.totpSecret}`),
    '',
    `token of ${account.account} (others: ${command} admin token --account NAME)`,
    `  ${token}`,
    '',
    'try',
    `  ${curl} ${node.url}/healthz`,
    `  ${curl} -H "Authorization: Bearer ${token}" "${node.url}/api/v1/records?product=M14860"`,
    `  ${curl} -H "Authorization: Bearer ${token}" -H "Accept: application/xml" ${node.url}/api/v1/trace/M14860`,
    `  ${command} record query --product M14860`,
    `  ${command} admin otp`,
    '',
    `genesis ${net.genesisHash}`,
    'Ctrl-C stops everything; the next start finds its data; --reset starts anew',
  ];
}
