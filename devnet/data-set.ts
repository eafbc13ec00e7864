/** The AI4I rows as parts to load: every organisation submits those of its own factory through its own node. */
import { readFileSync } from 'node:fs';
import { AI4I_OPERATORS, type Ai4iFactory, ai4iRecords, readAi4iRows } from './ai4i.ts';
import type { Devnet } from './devnet.ts';
import type { LoadPart } from './load.ts';
import { planTopology } from './topology.ts';

const CITY: Readonly<Record<string, string>> = { machining: 'Kunming', supplier: 'Mengzi', inspection: 'Kunming', regulator: 'Kunming' };

/** @param path of ai4i2020.csv @param count rows wanted */
export function dataSetParts(net: Devnet, path: string, count: number): readonly LoadPart[] {
  const plan = planTopology(net.nodes.length);
  const factories: Ai4iFactory[] = plan.factories.map((factory) => ({
    id: factory.id,
    organisation: factory.organisation,
    location: `${CITY[factory.organisation]}, ${factory.name}`,
    devices: plan.devices.filter((device) => device.factory === factory.id).map((device) => device.id),
  }));
  const rows = new Map<string, string[]>(factories.map((factory) => [factory.organisation, []]));
  for (const { organisation, record, source } of ai4iRecords(readAi4iRows(readFileSync(path, 'utf8')), factories, count)) {
    rows.get(organisation)!.push(JSON.stringify({ ...record, source }));
  }
  return factories.map(({ organisation }) => ({
    node: net.nodes.find((node) => node.organisation === organisation)!,
    account: `operator@${organisation}`,
    rows: rows.get(organisation)!,
  }));
}

/** Names of people in the data set; numbers are too short to search for. */
export const DATA_SET_PEOPLE: readonly string[] = AI4I_OPERATORS.map((operator) => operator.name);
