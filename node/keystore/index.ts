/** Door of the keystore. `certificates.ts` is a door of its own: it loads an X.509 library that few commands need. */
export { type KeyKind, keyKinds } from './key-kinds.ts';
export {
  createKeystore,
  type KeyEntry,
  type Keystore,
  type KeystoreCost,
  listKeystore,
  openKeystore,
} from './keystore.ts';
export { writeFileAtomic } from './atomic-file.ts';
export {
  addValidatorKey,
  adoptSealingKeys,
  createNodeKeys,
  NODE_KEY,
  type NodePublicKeys,
  nodePublicKeys,
  rotateSealingKey,
  sealingKeyIds,
  validatorKeyId,
} from './identity.ts';
