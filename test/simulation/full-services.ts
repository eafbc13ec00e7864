/** The services of a whole node in the simulator: record service, query index, sealed store and exchange log on stores of the simulated disk. */
import { type Digest, hashTagged, utf8 } from '../../node/format/index.ts';
import type { Node } from '../../node/node.ts';
import type { Part } from '../../node/parts.ts';
import { createBodies } from '../../node/records/bodies.ts';
import { aesGcm } from '../../node/records/index.ts';
import { createServices, type Services, type ServicesLimits } from '../../node/services.ts';
import type { Store } from '../../node/world.ts';
import type { SimProcess } from './world.ts';

export interface SimServices extends Pick<Services, 'records' | 'exchanges'> {
  readonly stores: { readonly local: Store; readonly index: Store; readonly sealed: Store };
  /** In the order of their start, after the node. */
  readonly parts: readonly Part[];
}

export async function openServices(process: SimProcess, node: Node, local: Store, limits: ServicesLimits): Promise<SimServices> {
  const { world, network } = process;
  const stores = { local, index: process.openStore('index'), sealed: process.openStore('sealed') };
  const bodies = createBodies({ world });
  const keyOf = (purpose: string): Digest => hashTagged(world.crypto, 'sealed-field', utf8(`simulation ${purpose}`));
  const sealingKeys = [{ id: 'sealing-1', secret: keyOf(`sealing ${node.info.organisation}`) }];
  const { records, exchanges, parts } = await createServices({
    world,
    network,
    node,
    stores,
    aead: aesGcm,
    sealedStoreKey: keyOf(`storage ${node.info.node}`),
    sealingKeys: () => sealingKeys,
    bodies,
    limits,
  });
  const closing = { name: 'stores', stop: () => Promise.all([stores.index.close(), stores.sealed.close()]).then(() => undefined) };
  return { records, exchanges, stores, parts: [closing, { name: 'bodies', stop: bodies.stop }, ...parts] };
}
