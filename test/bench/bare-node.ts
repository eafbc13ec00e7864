/**
 * One node of the reference: the same process parts as a real one, without HTTP, driven over the parent's channel. Its transactions call a contract that
 * is not there, so execution is empty and only a receipt is written.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { argv, env, exit } from 'node:process';
import { assembleNode } from '../../node/real/assemble.ts';
import { parseNodeConfig } from '../../node/config/index.ts';
import { openKeystore } from '../../node/keystore/index.ts';
import { createLog } from '../../node/real/log.ts';
import { setTimeout as sleep } from 'node:timers/promises';

const configPath = resolve(argv[2]!);
const home = dirname(configPath);
const config = parseNodeConfig(readFileSync(configPath, 'utf8'), {});
const at = (path: string): string => resolve(home, path);
const keystore = await openKeystore(at(config.keystore), readFileSync(resolve(home, 'passphrase'), 'utf8').trimEnd());
const { node, stop } = await assembleNode({
  config: { ...config, dataDir: at(`${config.dataDir}-bare`) },
  genesisText: readFileSync(at(config.genesis), 'utf8'),
  keystore,
  log: createLog({ level: env.BENCH_LOG === undefined ? 'silent' : 'info' }),
  onFatal: () => exit(1),
});
await node.start();
process.send!({ kind: 'started' });

interface Order {
  readonly kind: 'run' | 'stop';
  readonly account: string;
  readonly count: number;
  readonly intervalMs: number;
}

process.on('message', async (order: Order) => {
  if (order.kind === 'stop') {
    await stop();
    exit(0);
  }
  const latencies: number[] = [];
  while (node.head().height < 1) await sleep(50);
  for (let i = 0; i < order.count; i++) {
    const bytes = await node.signFor(order.account, [{ contract: 'bench-nothing', method: 'nothing', args: new Uint8Array(0) }], 2_000_000);
    const start = performance.now();
    const id = await node.submit(bytes);
    const status = await node.awaitTransaction(id, 10_000);
    if (status.state === 'confirmed') latencies.push(performance.now() - start);
    await sleep(order.intervalMs);
  }
  process.send!({ kind: 'done', latencies });
});
