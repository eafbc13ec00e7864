/** `tracemill start`: reads the files of a node, opens its keystore, runs it until a signal, stops it in bounded time. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { openKeystore } from '../../node/keystore/index.ts';
import { EXIT } from './exit-codes.ts';
import { NODE_FILE, readNodeFiles } from './node-files.ts';
import { readPassphrase } from './passphrase.ts';
import type { CommandFactory } from './program.ts';

/** Printed as one JSON line on standard output with --json once the node serves; the devnet waits for it. */
export interface StartedLine {
  readonly event: 'started';
  readonly node: string;
  readonly url: string;
  readonly p2p: string;
  readonly genesisHash: string;
}

export const startCommand: CommandFactory = (run) =>
  new Command('start')
    .description('run a node')
    .option('--config <file>', 'settings of the node', NODE_FILE)
    .option('--passphrase-file <file>', 'file with the passphrase of the keystore')
    .action(
      run(async (cli, options: { config: string; passphraseFile?: string }) => {
        const files = readNodeFiles(cli, options.config);
        const { config } = files;
        const keystore = await openKeystore(config.keystore, await readPassphrase(cli, options.passphraseFile));
        let stopAsked: (signal: string) => void = () => undefined;
        const stopped = new Promise<string>((done) => {
          stopAsked = done;
        });
        const release = cli.terminal.onStop((signal) => stopAsked(signal));
        const { startNode } = await import('./start-node.ts'); // loads all of the node: other commands do without
        const node = await startNode({
          config,
          genesisText: files.genesisText,
          genesis: files.genesis,
          keystore,
          tls: { cert: cli.readText(config.https.cert), key: cli.readText(config.https.key) },
          credentialsText: existsSync(config.credentials) ? cli.readText(config.credentials) : undefined,
          terminal: cli.terminal,
        });
        const line: StartedLine = {
          event: 'started',
          node: config.node,
          url: node.url,
          p2p: node.p2pAddress,
          genesisHash: files.genesisHash,
        };
        cli.showLine(line, `${config.node} serves ${node.url}, nodes at ${node.p2pAddress}, genesis ${files.genesisHash}`);
        try {
          const reason = await Promise.race([stopped, node.failed]);
          if (typeof reason !== 'string') {
            await stopInTime();
            throw reason;
          }
          cli.note(`${reason}: stopping`);
          await stopInTime();
        } finally {
          release();
        }

        async function stopInTime(): Promise<void> {
          const late = Symbol('late');
          const inTime = new AbortController();
          const first = await Promise.race([node.stop(), cli.terminal.sleep(config.stopTimeoutMs, inTime.signal).then(() => late)]);
          inTime.abort(); // the time-out would hold a process that has stopped
          if (first !== late) return;
          cli.note(`the stop took longer than ${config.stopTimeoutMs} ms; what is final is on disk, the process ends`);
          cli.exitCode = EXIT.fault;
        }
      }),
    );
