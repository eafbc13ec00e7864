/**
 * Door of the keystore. `certificates.ts` is a door of its own, since it loads an X.509 library that few commands need; `key-kinds.ts` and
 * `atomic-file.ts` are for those who open no keystore.
 */
export { type KeyKind, keyKinds } from './key-kinds.ts';
export { createKeystore, type Keystore, listKeystore, openKeystore } from './keystore.ts';
export { writeFileAtomic } from './atomic-file.ts';
export {
  addValidatorKey,
  adoptSealingKeys,
  createNodeKeys,
  NODE_KEY,
  rotateSealingKey,
  sealingKeyIds,
  validatorKeyId,
} from './identity.ts';
