/** `tracemill keys`: the keystore of a node or a person. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { type KeyKind, keyKinds } from '../../node/keystore/key-kinds.ts';
import { KEYSTORE_FILE } from './file-names.ts';
import { oneOf } from './options.ts';
import { newPassphrase, readPassphrase } from './passphrase.ts';
import type { CommandFactory } from './program.ts';
import { table } from './text.ts';

export const keysCommand: CommandFactory = (run) =>
  new Command('keys')
    .description('keys of a keystore; private keys never leave it')
    .addCommand(
      new Command('list')
        .description('ids, kinds and public keys; asks for no passphrase')
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .action(
          run(async (cli, file: string) => {
            const { listKeystore } = await import('../../node/keystore/index.ts');
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
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .option('--kind <kind>', keyKinds.join(', '), oneOf(...keyKinds), 'account')
        .option('--passphrase-file <file>')
        .action(
          run(async (cli, id: string, file: string, options: { kind: KeyKind; passphraseFile?: string }) => {
            const { createKeystore, openKeystore } = await import('../../node/keystore/index.ts');
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
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .option('--passphrase-file <file>')
        .action(
          run(async (cli, file: string, options: { passphraseFile?: string }) => {
            const { openKeystore, rotateSealingKey } = await import('../../node/keystore/index.ts');
            const keystore = await openKeystore(cli.path(file), await readPassphrase(cli, options.passphraseFile));
            const id = await rotateSealingKey(keystore);
            cli.show({ id }, id);
          }),
        ),
    )
    .addCommand(
      new Command('new-validator')
        .description('make the validator key that is to follow the present one, and print the proposal that names it')
        .argument('<node>', 'id of the node whose keystore it is')
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .option('--passphrase-file <file>')
        .action(
          run(async (cli, node: string, file: string, options: { passphraseFile?: string }) => {
            const { addValidatorKey, openKeystore } = await import('../../node/keystore/index.ts');
            const keystore = await openKeystore(cli.path(file), await readPassphrase(cli, options.passphraseFile));
            const key = await addValidatorKey(keystore);
            const proposal = { kind: 'replaceValidatorKey', id: node, validatorKey: key.publicKey };
            const steps = ['Start the node again, so that it holds the key. Then propose, and let the organisations vote:'];
            steps.push(`tracemill governance propose '${JSON.stringify(proposal)}'`);
            steps.push('It signs with the new key from the block that carries the proposal out; keep the old one until then.');
            cli.show({ id: key.id, proposal }, [`${key.id} ${key.publicKey}`, ...steps].join('\n'));
          }),
        ),
    )
    .addCommand(
      new Command('export-sealing')
        .description('write the sealing keys into a keystore of their own, for another node of the organisation')
        .argument('<out>', 'file to make, with a passphrase of its own')
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .option('--passphrase-file <file>')
        .option('--out-passphrase-file <file>')
        .action(
          run(async (cli, out: string, file: string, options: { passphraseFile?: string; outPassphraseFile?: string }) => {
            const { adoptSealingKeys, createKeystore, openKeystore } = await import('../../node/keystore/index.ts');
            const keystore = await openKeystore(cli.path(file), await readPassphrase(cli, options.passphraseFile));
            const made = await createKeystore(cli.path(out), await newPassphrase(cli, options.outPassphraseFile));
            const ids = await adoptSealingKeys(made, keystore);
            cli.show({ ids }, ids.join('\n'));
          }),
        ),
    )
    .addCommand(
      new Command('import-sealing')
        .description('take over the sealing keys that another node of the organisation has exported')
        .argument('<from>', 'file made by export-sealing')
        .argument('[keystore]', 'file', KEYSTORE_FILE)
        .option('--passphrase-file <file>')
        .option('--from-passphrase-file <file>')
        .action(
          run(async (cli, from: string, file: string, options: { passphraseFile?: string; fromPassphraseFile?: string }) => {
            const { adoptSealingKeys, openKeystore } = await import('../../node/keystore/index.ts');
            const given = await openKeystore(cli.path(from), await readPassphrase(cli, options.fromPassphraseFile));
            const keystore = await openKeystore(cli.path(file), await readPassphrase(cli, options.passphraseFile));
            const ids = await adoptSealingKeys(keystore, given);
            cli.show({ ids }, ids.length === 0 ? 'all of them are held already' : ids.join('\n'));
          }),
        ),
    );
