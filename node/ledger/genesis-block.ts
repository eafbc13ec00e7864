/** Block 0: what the genesis file says as state, and the header that everything else descends from. Nobody signs it. */
import { genesisWrites } from '../../contracts/index.ts';
import {
  consensusHashOf,
  type Crypto,
  type Digest,
  encodeConfiguration,
  encodeHeader,
  HEADER_VERSION,
  type Header,
  headerHash,
  merkleRoot,
  type OpenedGenesis,
  utf8,
  Writer,
} from '../format/index.ts';
import type { StoreOperation } from '../world.ts';
import { encodeForm, encodeHead, encodeReceipts } from './block-store.ts';
import { LEDGER_FORM, ledgerKey } from './keys.ts';
import type { MapWrite } from '../state/index.ts';
import { stateOperations } from './state-rows.ts';

/** @param rootOf what the state map comes to with these writes. @returns the rows to write in one batch */
export function genesisBlock(
  crypto: Crypto,
  genesis: OpenedGenesis,
  genesisText: string,
  rootOf: (writes: readonly MapWrite[]) => Digest,
): readonly StoreOperation[] {
  const writes = genesisWrites(genesis.genesis);
  const keys = [...writes.keys()].sort();
  const stateRoot = rootOf(keys.map((key) => ({ key, valueHash: crypto.hash(writes.get(key)!) })));
  const consensusHash = consensusHashOf(crypto, genesis.configuration);
  const header: Header = {
    version: HEADER_VERSION,
    chainId: genesis.chainId,
    era: 0,
    height: 0,
    parentHash: new Uint8Array(32),
    timestampMs: genesis.genesis.timestampMs,
    proposer: '',
    engine: genesis.configuration.engine,
    engineData: new Uint8Array(0),
    txRoot: merkleRoot(crypto.hash, []),
    receiptsRoot: merkleRoot(crypto.hash, []),
    stateRoot,
    consensusHash,
    nextConsensusHash: consensusHash,
  };
  const headerBytes = encodeHeader(header);
  const hash = headerHash(crypto, headerBytes);
  return [
    { key: ledgerKey.genesis, value: utf8(genesisText) },
    { key: ledgerKey.form, value: encodeForm(LEDGER_FORM) },
    { key: ledgerKey.header(0), value: headerBytes },
    { key: ledgerKey.receipts(0), value: encodeReceipts([]) },
    { key: ledgerKey.heightOfHash(hash), value: new Writer(8).u64(0).finish() },
    { key: ledgerKey.configuration(0), value: encodeConfiguration(genesis.configuration) },
    { key: ledgerKey.head, value: encodeHead({ height: 0, hash, stateRoot }) },
    ...keys.flatMap((key) => stateOperations(0, key, writes.get(key))),
  ];
}
