/** The files of one node: node.json with its paths made absolute, and the genesis it names. */
import { dirname, resolve } from 'node:path';
import { type NodeConfig, parseGenesis, parseNodeConfig } from '../../node/config/index.ts';
import { createCrypto } from '../../node/crypto/index.ts';
import { openGenesis, toHex } from '../../node/format/index.ts';
import type { Genesis } from '../../contracts/index.ts';
import type { Cli } from './cli.ts';

export interface NodeFiles {
  /** Settings with absolute paths. */
  readonly config: NodeConfig;
  readonly genesisText: string;
  readonly genesis: Genesis;
  readonly genesisHash: string;
}

/** @throws ChainError CLI_FILE_UNREADABLE, CONFIG_INVALID, GENESIS_INVALID */
export function readNodeFiles(cli: Cli, file: string): NodeFiles {
  const config = readNodeConfig(cli, file);
  const genesisText = cli.readText(config.genesis);
  const genesis = parseGenesis(genesisText);
  return { config, genesisText, genesis, genesisHash: genesisHashOf(genesisText) };
}

export function readNodeConfig(cli: Cli, file: string): NodeConfig {
  const config = parseNodeConfig(cli.readText(file), cli.terminal.env);
  const at = (path: string): string => resolve(dirname(cli.path(file)), path);
  return {
    ...config,
    dataDir: at(config.dataDir),
    genesis: at(config.genesis),
    keystore: at(config.keystore),
    credentials: at(config.credentials),
    https: { ...config.https, cert: at(config.https.cert), key: at(config.https.key) },
  };
}

/** 64 hex digits; names the chain. */
export function genesisHashOf(genesisText: string): string {
  return toHex(openGenesis(createCrypto(), genesisText).genesisHash);
}
