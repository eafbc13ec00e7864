/**
 * `tracemill init`: the files of a node of one organisation; `--assemble` makes one genesis file of the parts of several.
 * With --genesis the node joins a chain that exists: what governance must register is printed.
 */
import { Command } from 'commander';
import type { InitFlags } from './founding.ts';
import type { CommandFactory } from './program.ts';

export const initCommand: CommandFactory = (run) =>
  new Command('init')
    .description('make the files of a node, or (--assemble) the genesis of a chain from the parts of its members')
    .option('--organisation <id>', 'organisation that runs the node')
    .option('--name <name>', 'name for people: of the organisation, or with --assemble of the chain')
    .option('--node <id>', 'id of the node (default: the organisation and -1)')
    .option('--directory <dir>', 'where the files go', '.')
    .option('--host <host>', 'address others reach the node at', '127.0.0.1')
    .option('--p2p-port <port>', 'port for other nodes', '26600')
    .option('--https-port <port>', 'port of the interface', '26700')
    .option('--genesis <file>', 'join the chain of this genesis file')
    .option('--passphrase-file <file>', 'file with the passphrase of the new keystore')
    .option('--assemble <parts...>', 'genesis-part.json of every member')
    .option('--out <file>', 'genesis file that --assemble writes', 'genesis.json')
    .action(
      run(async (cli, options: InitFlags) => {
        const { initNode, assemble } = await import('./founding.ts');
        return options.assemble === undefined ? await initNode(cli, options) : await assemble(cli, options.assemble, options);
      }),
    );
