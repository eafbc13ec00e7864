/** What `tracemill init` does: the files of a node, and the genesis of a chain from the parts its members bring. */
import { copyFile, mkdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeData } from '../../contracts/builtin/index.ts';
import { parseGenesis, parseNodeConfig } from '../../node/config/index.ts';
import { ChainError } from '../../node/errors/index.ts';
import { ENGINE_DEFAULT } from '../../node/format/index.ts';
import type { Genesis } from '../../contracts/index.ts';
import { createKeystore, createNodeKeys, writeFileAtomic } from '../../node/keystore/index.ts';
import type { Cli } from './cli.ts';
import { NODE_FILE } from './file-names.ts';
import { genesisHashOf } from './node-files.ts';
import { newPassphrase } from './passphrase.ts';

/** What one organisation brings to a genesis. Public: no secret is in it. */
export interface GenesisPart {
  readonly version: 1;
  readonly organisation: { readonly id: string; readonly name: string };
  readonly node: { readonly id: string; readonly organisation: string } & NodeData;
  readonly accounts: Genesis['accounts'];
}

export interface InitFlags {
  readonly organisation?: string;
  readonly name?: string;
  readonly node?: string;
  readonly directory: string;
  readonly host: string;
  readonly p2pPort: string;
  readonly httpsPort: string;
  readonly genesis?: string;
  readonly passphraseFile?: string;
  readonly assemble?: string[];
  readonly out: string;
}

const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const EXECUTION_VERSION = 1;

export async function initNode(cli: Cli, options: InitFlags): Promise<void> {
  const { organisation } = options;
  if (organisation === undefined) throw new ChainError('CLI_USAGE', { reason: '--organisation is missing' });
  const node = options.node ?? `${organisation}-1`;
  const directory = cli.path(options.directory);
  const configText = JSON.stringify(
    {
      version: 1,
      node,
      organisation,
      p2p: { host: options.host, port: Number(options.p2pPort) },
      https: { host: options.host, port: Number(options.httpsPort) },
    },
    undefined,
    2,
  );
  parseNodeConfig(configText, {}); // faults come before files
  if (options.genesis !== undefined) parseGenesis(cli.readText(options.genesis));
  if (existsSync(join(directory, NODE_FILE)))
    throw new ChainError('CLI_USAGE', { reason: `${join(directory, NODE_FILE)} is there already` });
  const passphrase = await newPassphrase(cli, options.passphraseFile);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const keystore = await createKeystore(join(directory, 'keystore.json'), passphrase);
  const keys = await createNodeKeys(keystore);
  const nowMs = cli.terminal.now();
  const { createAuthority, issueServerCertificate } = await import('../../node/keystore/certificates.ts');
  const authority = await createAuthority(`${organisation} certificate authority`, nowMs);
  const tls = await issueServerCertificate(authority, node, nowMs, [options.host]);
  const part: GenesisPart = {
    version: 1,
    organisation: { id: organisation, name: options.name ?? organisation },
    node: { id: node, organisation, ...keys, addresses: [multiaddr(options.host, Number(options.p2pPort))], role: 'validator', weight: 1 },
    accounts: [
      {
        id: `admin@${organisation}`,
        organisation,
        type: 'person',
        roles: ['admin'],
        keys: [
          { keyId: node, publicKey: keys.custodialKey, suite: 1, kind: 'custodial', node, scope: ['*'], validTo: null, revoked: false },
        ],
      },
    ],
  };
  await writeFileAtomic(join(directory, 'tls-ca.pem'), authority.certificate, PUBLIC_MODE);
  await writeFileAtomic(join(directory, 'tls-cert.pem'), tls.certificate, PUBLIC_MODE);
  await writeFileAtomic(join(directory, 'tls-key.pem'), tls.privateKey, SECRET_MODE);
  await writeFileAtomic(join(directory, 'genesis-part.json'), `${JSON.stringify(part, undefined, 2)}\n`, PUBLIC_MODE);
  await writeFileAtomic(join(directory, NODE_FILE), `${configText}\n`, PUBLIC_MODE);
  const lines = [`${directory}: node.json, keystore.json, tls-*.pem and genesis-part.json made`];
  let genesisHash: string | undefined;
  if (options.genesis === undefined) {
    lines.push('give genesis-part.json to the member who runs: tracemill init --assemble PART... --name NAME');
    lines.push('then put the genesis.json he returns beside node.json and run: tracemill start');
  } else {
    await copyFile(cli.path(options.genesis), join(directory, 'genesis.json'));
    genesisHash = genesisHashOf(cli.readText(options.genesis));
    lines.push(`genesis ${genesisHash}`);
    lines.push('a member proposes the node and the organisation of genesis-part.json by: tracemill governance propose @CHANGE');
    lines.push('once that is final run: tracemill start');
  }
  cli.show({ directory, part, genesisHash }, lines.join('\n'));
}

export async function assemble(cli: Cli, files: readonly string[], options: InitFlags): Promise<void> {
  const parts = files.map((file) => readPart(cli, file));
  const organisations = new Map(parts.map((part) => [part.organisation.id, part.organisation]));
  const genesis: Genesis = {
    version: 1,
    name: options.name ?? 'tracemill',
    timestampMs: cli.terminal.now(),
    engine: ENGINE_DEFAULT,
    executionVersion: EXECUTION_VERSION,
    parameters: {},
    organisations: [...organisations.values()],
    nodes: parts.map((part) => part.node),
    accounts: joined(parts),
    factories: [],
    devices: [],
  };
  const text = `${JSON.stringify(genesis, undefined, 2)}\n`;
  parseGenesis(text, { isNew: true });
  await writeFileAtomic(cli.path(options.out), text, PUBLIC_MODE);
  const genesisHash = genesisHashOf(text);
  const lines = [`${options.out} written; every member compares its hash before he starts:`, genesisHash];
  for (const { id } of genesis.organisations) {
    const nodes = genesis.nodes.flatMap((node) => (node.organisation === id ? [node.id] : []));
    if (nodes.length > 1)
      lines.push(`before ${nodes.join(', ')} start they need the same sealing keys: tracemill keys export-sealing, keys import-sealing`);
  }
  cli.show({ file: options.out, genesisHash }, lines.join('\n'));
}

/**
 * An account that several nodes of its organisation bring, each with the key it signs with there, has all of these. What differs otherwise, or comes from
 * another organisation, stays a second account of one name, which is refused.
 */
function joined(parts: readonly GenesisPart[]): Genesis['accounts'] {
  const out = new Map<string, Genesis['accounts'][number]>();
  for (const { organisation, accounts } of parts) {
    for (const account of accounts) {
      const { keys, ...facts } = account;
      const name = JSON.stringify([organisation.id, facts]);
      out.set(name, { ...account, keys: [...(out.get(name)?.keys ?? []), ...keys] });
    }
  }
  return [...out.values()];
}

function readPart(cli: Cli, file: string): GenesisPart {
  try {
    const part = JSON.parse(cli.readText(file)) as GenesisPart;
    if (part.version === 1 && typeof part.organisation.id === 'string' && Array.isArray(part.accounts)) return part;
  } catch (error) {
    if (error instanceof ChainError) throw error;
  }
  throw new ChainError('CLI_FILE_MALFORMED', { path: file, reason: 'not a genesis-part.json' });
}

function multiaddr(host: string, port: number): string {
  const kind = host.includes(':') ? 'ip6' : /^\d+(?:\.\d+){3}$/.test(host) ? 'ip4' : 'dns';
  return `/${kind}/${host}/tcp/${port}`;
}
