/**
 * Who is on a devnet: four organisations as a provenance chain has them, each with a node, people, a device, and a factory of its own.
 * With more nodes than organisations they get further nodes in turn. Everything is decided by the number of nodes alone.
 */

export interface PlannedNode {
  readonly id: string;
  readonly organisation: string;
}

export interface PlannedAccount {
  readonly id: string;
  readonly organisation: string;
  readonly type: 'person' | 'device' | 'service';
  readonly roles: readonly string[];
}

export interface Topology {
  readonly organisations: readonly { readonly id: string; readonly name: string }[];
  readonly nodes: readonly PlannedNode[];
  /** Accounts of the nodes themselves: no login, no token. */
  readonly services: readonly PlannedAccount[];
  readonly accounts: readonly PlannedAccount[];
  readonly factories: readonly { readonly id: string; readonly organisation: string; readonly name: string }[];
  readonly devices: readonly { readonly id: string; readonly organisation: string; readonly factory: string }[];
}

const organisations = [
  { id: 'machining', name: 'Dianchi Machining Plant', factory: 'F-001', hall: 'Milling hall', device: 'MILL-01' },
  { id: 'supplier', name: 'Honghe Bar and Forging', factory: 'F-002', hall: 'Forging shop', device: 'FORGE-01' },
  { id: 'inspection', name: 'Kunming Inspection Body', factory: 'F-003', hall: 'Test workshop', device: 'CMM-01' },
  { id: 'regulator', name: 'Provincial Regulator', factory: 'F-004', hall: 'Reference workshop', device: 'REF-01' },
] as const;

/** Account that commands use when none is named. */
export const DEFAULT_ACCOUNT = 'operator@machining';
export const NODES_MIN = 4;
export const NODES_MAX = 16;

/** @throws RangeError outside NODES_MIN to NODES_MAX */
export function planTopology(nodeCount: number): Topology {
  if (!Number.isSafeInteger(nodeCount) || nodeCount < NODES_MIN || nodeCount > NODES_MAX) {
    throw new RangeError(`Cannot plan a devnet of ${nodeCount} nodes: from ${NODES_MIN} to ${NODES_MAX}`);
  }
  const nodes = Array.from({ length: nodeCount }, (_, i) => {
    const { id } = organisations[i % organisations.length]!;
    return { id: `${id}-${Math.floor(i / organisations.length) + 1}`, organisation: id };
  });
  return {
    organisations: organisations.map(({ id, name }) => ({ id, name })),
    nodes,
    // A node acts in its own name too: it anchors the head of its exchange log.
    services: nodes.map(({ id, organisation }) => ({ id: `${id}@${organisation}`, organisation, type: 'service', roles: ['node'] })),
    accounts: organisations.flatMap(({ id }): PlannedAccount[] => [
      { id: `admin@${id}`, organisation: id, type: 'person', roles: ['admin'] },
      { id: `operator@${id}`, organisation: id, type: 'person', roles: ['operator'] },
      { id: `auditor@${id}`, organisation: id, type: 'person', roles: ['auditor'] },
      { id: `device@${id}`, organisation: id, type: 'device', roles: ['device'] },
    ]),
    factories: organisations.map(({ id, factory, hall }) => ({ id: factory, organisation: id, name: hall })),
    devices: organisations.map(({ id, factory, device }) => ({ id: device, organisation: id, factory })),
  };
}

/** Factory and device of an organisation, for records it submits. */
export function worksOf(organisation: string): { readonly factory: string; readonly device: string } {
  const found = organisations.find((candidate) => candidate.id === organisation);
  if (found === undefined) throw new RangeError(`Cannot find the organisation ${organisation}`);
  return { factory: found.factory, device: found.device };
}
