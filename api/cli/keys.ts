/** `tracemill keys list | create`: the keystore of a node or a person. */
import { Command } from 'commander';
import { createKeystore, type KeyKind, keyKinds, listKeystore, openKeystore, rotateSealingKey } from '../../node/keystore/index.ts';
import { existsSync } from 'node:fs';
import { oneOf } from './options.ts';
import { newPassphrase, readPassphrase } from './passphrase.ts';
import type { CommandFactory } from './program.ts';
import { table } from './text.ts';

const KEYSTORE = 'keystore.json';

export const keysCommand: CommandFactory = (run) =>
  new Command('keys')
    .description('keys of a keystore; private keys never leave it')
    .addCommand(
      new Command('list')
        .description('ids, kinds and public keys; asks for no passphrase')
        .argument('[keystore]', 'file', KEYSTORE)
        .action(
          run(async (cli, file: string) => {
            const keys = listKeystore(cli.path(file));
            cli.show(
              keys,
              table(
                ['id', 'kind', 'public key'],
                keys.map((key) => [key.id, key.kind, key.publicKey]),
              ),
            );
          }),
        ),
    )
    .addCommand(
      new Command('create')
        .description('make a key; makes the keystore when there is none')
        .argument('<id>')
        .argument('[keystore]', 'file', KEYSTORE)
        .option('--kind <kind>', keyKinds.join(', '), oneOf(...keyKinds), 'account')
        .option('--passphrase-file <file>')
        .action(
          run(async (cli, id: string, file: string, options: { kind: KeyKind; passphraseFile?: string }) => {
            const path = cli.path(file);
            const keystore = existsSync(path)
              ? await openKeystore(path, await readPassphrase(cli, options.passphraseFile))
              : await createKeystore(path, await newPassphrase(cli, options.passphraseFile));
            const key = await keystore.add(id, options.kind);
            cli.show(key, `${key.id} (${key.kind}) ${key.publicKey}`);
          }),
        ),
    )
    .addCommand(
      new Command('rotate')
        .description('begin a new sealing period of a node')
        .argument('[keystore]', 'file', KEYSTORE)
        .option('--passphrase-file <file>')
        .action(
          run(async (cli, file: string, options: { passphraseFile?: string }) => {
            const keystore = await openKeystore(cli.path(file), await readPassphrase(cli, options.passphraseFile));
            const id = await rotateSealingKey(keystore);
            cli.show({ id }, id);
          }),
        ),
    );
